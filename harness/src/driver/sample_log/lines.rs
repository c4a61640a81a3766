//! `samples.csv`, read again.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::column::{Column, ColumnarError};
use super::columns::columns_of;

/// The lines of `samples.csv` after its header.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    /// How many of the columns a line has; the others are empty.
    width: usize,
}

impl Lines {
    /// Opens the file; `None` when there is none, or one that a run was killed before it began.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, ColumnarError> {
        let unreadable = |source| ColumnarError::Read { path: path.to_path_buf(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let reader = BufReader::with_capacity(1 << 18, file);
        let mut rows = Self { path: path.to_path_buf(), reader, line: Vec::new(), number: 0, width: 0 };
        if !rows.next()? {
            return Ok(None);
        }
        let Some(width) = columns_of(&rows.line) else {
            return Err(ColumnarError::Header { path: rows.path.clone(), found: rows.found() });
        };
        rows.width = width;
        Ok(Some(rows))
    }

    /// Adds up to `most` rows to the columns, which are empty; fewer at the end.
    pub(super) fn read(&mut self, most: usize, columns: &mut [Column]) -> Result<usize, ColumnarError> {
        let mut count = 0;
        while count < most && self.next()? {
            let mut fields = self.line.split(|byte| *byte == b',');
            let (written, missing) = columns.split_at_mut(self.width);
            let pushed = written
                .iter_mut()
                .all(|column| fields.next().is_some_and(|field| column.push(field).is_some()))
                && missing.iter_mut().all(|column| column.push(b"").is_some());
            if pushed && fields.next().is_none() {
                count += 1;
                continue;
            }
            columns.iter_mut().for_each(|column| column.truncate(count));
            if !self.is_at_end()? {
                let (path, line) = (self.path.clone(), self.number);
                return Err(ColumnarError::Line { path, line, found: self.found() });
            }
        }
        Ok(count)
    }

    /// Reads the next line that was ended. One that was not is torn even where it looks whole: `12` may be left of `125`.
    fn next(&mut self) -> Result<bool, ColumnarError> {
        self.line.clear();
        self.number += 1;
        let read = self.reader.read_until(b'\n', &mut self.line);
        read.map_err(|source| ColumnarError::Read { path: self.path.clone(), source })?;
        Ok(self.line.pop_if(|byte| *byte == b'\n').is_some())
    }

    fn is_at_end(&mut self) -> Result<bool, ColumnarError> {
        match self.reader.fill_buf() {
            Ok(rest) => Ok(rest.is_empty()),
            Err(source) => Err(ColumnarError::Read { path: self.path.clone(), source }),
        }
    }

    /// The line as a message shows it.
    fn found(&self) -> String {
        String::from_utf8_lossy(&self.line).chars().take(80).collect::<String>().escape_debug().to_string()
    }
}
