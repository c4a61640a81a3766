//! `samples.parquet`, made of `samples.csv` once a run is over: the same requests, typed, and a fifth of the size.
//!
//! A Parquet file has its index at the end, so it is written under another name and given its own once it is whole. Rows
//! go through memory some at a time.

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Encoding, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};

use super::column::{Column, ColumnarError, GROUP};
use super::columns::{COLUMNS, Kind};
use super::lines::Lines;

/// Makes `samples.parquet` of the `samples.csv` in a run's folder, where it is missing or older. Gives the number of rows
/// it wrote; `None` when there was nothing to do. A torn last line, as a killed run may leave it, is left out.
///
/// # Errors
/// When the rows cannot be read or are not samples, or the file cannot be written; a file that was there before stays.
pub fn write_columnar(folder: &Path) -> Result<Option<u64>, ColumnarError> {
    let (csv, target) = (folder.join("samples.csv"), folder.join("samples.parquet"));
    let Some(rows) = Lines::open(&csv)? else { return Ok(None) };
    if is_newer(&target, &csv) {
        return Ok(None);
    }
    let aside = folder.join("samples.parquet.part");
    let written = write(rows, &aside).and_then(|count| {
        fs::rename(&aside, &target)
            .map_err(|error| ColumnarError::Write { path: target.clone(), source: error.into() })?;
        Ok(count)
    });
    if written.is_err() {
        // What it was that failed is the error to tell; a part that stays behind harms nobody.
        let _ = fs::remove_file(&aside);
    }
    written.map(Some)
}

/// Whether a file is there and was written after the other. Systems count in steps, so one of the same age may lack what was
/// added within the step, and is made once more.
fn is_newer(file: &Path, other: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    matches!((written(file), written(other)), (Some(file), Some(other)) if file > other)
}

fn write(mut rows: Lines, path: &Path) -> Result<u64, ColumnarError> {
    let failed = |source: ParquetError| ColumnarError::Write { path: path.to_path_buf(), source };
    let file = File::create(path).map_err(|error| failed(error.into()))?;
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema()), Arc::new(properties())).map_err(failed)?;
    let mut columns: Vec<Column> = COLUMNS.iter().map(|(_, kind)| Column::new(*kind)).collect();
    let mut count = 0;
    loop {
        let read = rows.read(GROUP, &mut columns)?;
        if read > 0 {
            write_group(&mut writer, &mut columns).map_err(failed)?;
        }
        count += read as u64;
        if read < GROUP {
            break;
        }
    }
    let file = writer.into_inner().map_err(failed)?;
    file.sync_all().map_err(|error| failed(error.into()))?;
    Ok(count)
}

fn write_group(writer: &mut SerializedFileWriter<File>, columns: &mut [Column]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let mut writer = group.next_column()?.expect("as many columns as the schema has: this is a bug");
        match column {
            Column::Words { rows, .. } => writer.typed::<ByteArrayType>().write_batch(rows, None, None)?,
            Column::Small { rows, known } => {
                writer.typed::<Int32Type>().write_batch(&there(rows, known), known.as_deref(), None)?
            }
            Column::Large { rows, known } => {
                writer.typed::<Int64Type>().write_batch(&there(rows, known), known.as_deref(), None)?
            }
        };
        writer.close()?;
        column.truncate(0);
    }
    group.close()?;
    Ok(())
}

fn schema() -> Type {
    let column = |(name, kind): (&str, Kind)| {
        let built = match kind {
            Kind::Word => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_logical_type(Some(LogicalType::String)),
            Kind::Small | Kind::SmallOrEmpty => Type::primitive_type_builder(name, Physical::INT32),
            Kind::Large | Kind::LargeOrEmpty => Type::primitive_type_builder(name, Physical::INT64),
        };
        let may_be_empty = matches!(kind, Kind::SmallOrEmpty | Kind::LargeOrEmpty);
        let repetition = if may_be_empty { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        Arc::new(built.with_repetition(repetition).build().expect("a column's type: this is a bug"))
    };
    Type::group_type_builder("sample")
        .with_fields(COLUMNS.into_iter().map(column).collect())
        .build()
        .expect("the columns' type: this is a bug")
}

/// Differences between neighbors, packed, for what differs from row to row; a dictionary for the rest. A compressor on
/// top of these gains nothing.
fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for (name, _) in COLUMNS.iter().filter(|(_, kind)| matches!(kind, Kind::Large | Kind::LargeOrEmpty)) {
        let path = ColumnPath::from(*name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// The rows that are not empty.
fn there<'a, T: Copy>(rows: &'a [T], known: &Option<Vec<i16>>) -> Cow<'a, [T]> {
    match known {
        Some(known) if known.contains(&0) => {
            rows.iter().zip(known).filter(|(_, known)| **known == 1).map(|(row, _)| *row).collect()
        }
        _ => Cow::Borrowed(rows),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::RowAccessor as _;
    use tailmark_providers::provider::StageTimes;

    use super::super::SampleLog;
    use super::super::columns::header;
    use super::super::tests::answered;
    use super::*;
    use crate::sample::Outcome;

    /// A folder with the rows of a run of so many requests, every hundredth of which failed.
    fn run_of(count: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let names = vec!["null".to_owned(), "onnx-cpu".to_owned()];
        let log = SampleLog::create(folder.path(), names, Box::new(|_| {})).unwrap();
        for number in 0..count {
            let mut sample = answered(number, number * 1_000, 500);
            sample.backend = usize::from(number >= count / 2);
            if number % 100 == 6 {
                (sample.tokens, sample.stages) = (None, StageTimes::default());
            }
            if number % 100 == 7 {
                sample.outcome = Outcome::Failed("out of memory".into());
            }
            log.push(&sample);
        }
        log.close().unwrap();
        folder
    }

    fn append(folder: &Path, bytes: &[u8]) {
        let file = File::options().append(true).open(folder.join("samples.csv"));
        file.unwrap().write_all(bytes).unwrap();
    }

    fn reader(folder: &Path) -> SerializedFileReader<File> {
        SerializedFileReader::new(File::open(folder.join("samples.parquet")).unwrap()).unwrap()
    }

    fn rows(folder: &Path) -> i64 {
        reader(folder).metadata().file_metadata().num_rows()
    }

    #[test]
    fn the_columns_hold_what_the_rows_hold_in_several_groups() {
        let count = GROUP as u64 + 5;
        let folder = run_of(count);
        assert_eq!(write_columnar(folder.path()).unwrap(), Some(count));
        let reader = reader(folder.path());
        assert_eq!(reader.num_row_groups(), 2);
        let text = fs::read_to_string(folder.path().join("samples.csv")).unwrap();
        let mut lines = text.lines().skip(1);
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let fields: Vec<String> = COLUMNS
                .iter()
                .enumerate()
                .map(|(index, (_, kind))| match kind {
                    Kind::Word => row.get_string(index).unwrap().clone(),
                    Kind::Small => row.get_int(index).unwrap().to_string(),
                    Kind::Large => row.get_long(index).unwrap().to_string(),
                    Kind::SmallOrEmpty => row.get_int(index).map_or(String::new(), |known| known.to_string()),
                    Kind::LargeOrEmpty => {
                        row.get_long(index).map_or(String::new(), |known| known.to_string())
                    }
                })
                .collect();
            assert_eq!(Some(fields.join(",").as_str()), lines.next());
        }
        assert_eq!(lines.next(), None);
        let names: Vec<String> = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        assert_eq!(names.join(","), header());
        assert!(!folder.path().join("samples.parquet.part").exists());
    }

    #[test]
    fn a_torn_last_line_is_left_out_even_where_it_looks_whole() {
        let whole = "null,1,steady,10,1,1,1,1,1,1,answered,1,1,1,1,1,1,,,,";
        for (torn, rows_before) in [
            (whole, 10),
            ("null,1,ste", 10),
            ("\0\0\0\0\n", 10),
            ("null,1,steady,10\n", 10),
            (&format!("{whole}\n{whole},1\n"), 11),
            (&format!("{whole}\nnull,x"), 11),
        ] {
            let folder = run_of(10);
            append(folder.path(), torn.as_bytes());
            assert_eq!(write_columnar(folder.path()).unwrap(), Some(rows_before), "{torn:?}");
            assert_eq!(rows(folder.path()), rows_before as i64, "{torn:?}");
        }
    }

    #[test]
    fn a_damaged_line_among_others_is_named_and_the_file_of_before_stays() {
        let folder = run_of(3);
        assert_eq!(write_columnar(folder.path()).unwrap(), Some(3));
        append(folder.path(), b"null,1,steady,-3,1,1,1,1,1,1,answered,1,1,1,1,1,1,,,,\n");
        append(folder.path(), b"null,1,steady,4,1,1,1,1,1,1,answered,1,1,1,1,1,1,,,,\n");
        let error = write_columnar(folder.path()).unwrap_err().to_string();
        assert!(error.contains("samples.csv, line 5: `null,1,steady,-3,"), "{error}");
        assert_eq!(rows(folder.path()), 3);
        assert!(!folder.path().join("samples.parquet.part").exists());
    }

    #[test]
    fn it_is_made_again_unless_it_is_newer_than_the_rows() {
        let folder = run_of(3);
        assert_eq!(write_columnar(folder.path()).unwrap(), Some(3));
        let written = |name: &str| File::options().append(true).open(folder.path().join(name)).unwrap();
        let rows = written("samples.csv").metadata().unwrap().modified().unwrap();
        let second = std::time::Duration::from_secs(1);
        written("samples.parquet").set_modified(rows + second).unwrap();
        assert_eq!(write_columnar(folder.path()).unwrap(), None);
        append(folder.path(), b"null,1,steady,4,1,1,1,1,1,1,answered,1,1,1,1,1,1,,,,\n");
        for later in [second, 2 * second] {
            written("samples.parquet").set_modified(rows + second).unwrap();
            written("samples.csv").set_modified(rows + later).unwrap();
            assert_eq!(write_columnar(folder.path()).unwrap(), Some(4));
        }
    }

    #[test]
    fn a_folder_without_rows_has_no_columns_and_a_run_without_requests_has_empty_ones() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(write_columnar(empty.path()).unwrap(), None);
        fs::write(empty.path().join("samples.csv"), "backend,rest").unwrap();
        assert_eq!(write_columnar(empty.path()).unwrap(), None, "killed while it wrote the header");
        let folder = run_of(0);
        assert_eq!(write_columnar(folder.path()).unwrap(), Some(0));
        assert_eq!(rows(folder.path()), 0);
    }

    #[test]
    fn rows_with_other_columns_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("samples.csv"), "backend,restart\nnull,1\n").unwrap();
        let error = write_columnar(folder.path()).unwrap_err().to_string();
        assert!(error.contains("does not begin with") && error.contains("`backend,restart`"), "{error}");
    }
}
