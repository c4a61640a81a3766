//! How a page is written in Markdown: tables that can be read without being rendered, and nothing in a text that becomes
//! markup. It does not know what a page says.

use std::io::{self, Write};

use crate::page::{Block, Column, Item, Page, Side, Span, Text, can_wait, has_picture};

/// Begins and ends what is folded where Markdown is rendered; as plain text it is read like the rest.
const FOLD: &str = "<details><summary>Show</summary>\n";
const UNFOLD: &str = "</details>\n";

/// Writes a page.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    let mut parts: Vec<String> = Vec::new();
    let mut after_a_picture = false;
    // A page without a picture is short.
    let folds = page.blocks().iter().any(|block| matches!(block, Block::Picture { .. }));
    for section in page.sections() {
        let shows = has_picture(section);
        let is_open = !folds || !(can_wait(section, after_a_picture) || shows && after_a_picture);
        after_a_picture |= shows;
        let mut blocks = section.iter().map(block);
        if is_open {
            parts.extend(blocks);
            continue;
        }
        // The heading stays, so that a folded report is its table of contents.
        parts.extend(blocks.next());
        parts.push(FOLD.to_owned());
        parts.extend(blocks);
        parts.push(UNFOLD.to_owned());
    }
    out.write_all(parts.join("\n").as_bytes())
}

/// A block's lines; between two blocks there is an empty one.
fn block(block: &Block) -> String {
    match block {
        Block::Heading { level, text } => format!("{} {}\n", "#".repeat(usize::from(*level)), inline(text)),
        Block::Paragraph(text) => format!("{}\n", inline(text)),
        Block::List(items) => items.iter().map(item).collect(),
        Block::Table { columns, rows } => table(columns, rows),
        Block::Code { language, lines } => fenced(language, lines),
        Block::Picture { picture, .. } => {
            format!("![{}: {}]({})\n", picture.title, picture.description, picture.file)
        }
    }
}

fn item(item: &Item) -> String {
    let under: String = item.under.iter().map(|text| format!("  - {}\n", inline(text))).collect();
    format!("- {}\n{under}", inline(&item.text))
}

/// A text outside a table.
fn inline(text: &Text) -> String {
    spans(text, code)
}

/// A text in a table, where a bar must be escaped even in code.
fn cell(text: &Text) -> String {
    spans(text, |text| code(text).replace('|', "\\|"))
}

fn spans(text: &Text, code: impl Fn(&str) -> String) -> String {
    let written = text.spans().iter().map(|span| match span {
        Span::Plain(text) => escaped(text),
        Span::Strong(text) => format!("**{}**", escaped(text)),
        Span::Emphasis(text) => format!("*{}*", escaped(text)),
        Span::Code(text) => code(text),
    });
    written.collect::<String>().trim().to_owned()
}

/// A text with nothing in it that ends a cell, begins a tag or makes it stand out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek();
        let opens_tag =
            character == '<' && next.is_some_and(|c| c.is_ascii_alphabetic() || "/!?".contains(*c));
        // An underscore inside a word makes nothing stand out, and names are full of them.
        if matches!(character, '|' | '\\' | '*') || opens_tag {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// A text as code, whatever it contains.
fn code(text: &str) -> String {
    let longest = longest_run(text, '`');
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{text}`") } else { format!("{fence} {text} {fence}") }
}

/// Lines as they are, in a block of their own that nothing in them can end.
fn fenced(language: &str, lines: &str) -> String {
    let fence = "`".repeat(longest_run(lines, '`').max(2) + 1);
    let printable = lines.replace(|c: char| c.is_control() && c != '\n' && c != '\t', " ");
    format!("{fence}{language}\n{}\n{fence}\n", printable.trim_end())
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

/// A table, its columns padded so that it can be read without being rendered.
fn table(columns: &[Column], rows: &[Vec<Text>]) -> String {
    // Columns are wide as a terminal shows them, so that a text with wide characters does not push its row out of line.
    let width_of = |text: &str| textwrap::core::display_width(text);
    let heads: Vec<String> = columns.iter().map(|column| cell(&column.head)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let widest = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).chain(heads.get(index));
        cells.map(|cell| width_of(cell)).chain([3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(columns).zip(&widths).map(|((cell, column), width)| {
            let blank = " ".repeat(width - width_of(cell).min(*width));
            match column.side {
                Side::Left => format!("| {cell}{blank} "),
                Side::Right => format!("| {blank}{cell} "),
            }
        });
        format!("{}|\n", padded.collect::<String>())
    };
    let rules: Vec<String> = columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| match column.side {
            Side::Left => "-".repeat(*width),
            Side::Right => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    [heads, rules].iter().chain(&rows).map(|cells| line(cells)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BackendOutcome, RunRecord};
    use crate::{fixture, page};

    fn report(record: &RunRecord) -> String {
        let mut out = Vec::new();
        write(&page::of(record), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_would_break_a_table_or_become_a_tag_is_escaped() {
        let text = Text::from("a | b\nc <why> x < 20 ms *d*");
        assert_eq!(inline(&text), r"a \| b c \<why> x < 20 ms \*d\*");
    }

    #[test]
    fn code_with_backticks_in_it_is_fenced_by_more_of_them_and_a_bar_in_it_ends_no_cell() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a `b` | c"), "`` a `b` | c ``");
        let text = Text::default().code("a | b");
        assert_eq!([inline(&text), cell(&text)], ["`a | b`", r"`a \| b`"]);
    }

    #[test]
    fn a_block_ends_only_at_its_own_end() {
        let written = fenced("", "```\nx\u{1b}[0m\n````\n");
        assert_eq!(written, "`````\n```\nx [0m\n````\n`````\n");
    }

    #[test]
    fn one_backend() {
        insta::assert_snapshot!(report(&fixture::one()));
    }

    #[test]
    fn one_of_everything() {
        insta::assert_snapshot!(report(&fixture::five()));
    }

    #[test]
    fn what_ran_and_how_close_its_vectors_are() {
        insta::assert_snapshot!(report(&fixture::executions()));
    }

    #[test]
    fn a_client_has_no_process_and_what_it_does_not_tell_is_not_known() {
        let mut record = fixture::one();
        let backend = &mut record.backends[0];
        backend.placement = "client".to_owned();
        backend.resources = None;
        let runs = backend.runs.as_mut().unwrap();
        (runs.engine, runs.engine_version, runs.device, runs.dtype) = (None, None, None, None);
        for start in &mut backend.cold_starts {
            (start.spawn_ns, start.import_ns) = (None, None);
        }
        let steady = backend.phases.iter_mut().find(|summary| summary.phase == crate::record::Phase::Steady);
        let stages = steady.and_then(|summary| summary.stages.as_mut()).unwrap();
        (stages.tokenize_ns, stages.infer_ns, stages.pool_ns, stages.worker_other_ns) =
            (None, None, None, None);
        let page = report(&record);
        let rows = |heading: &str| {
            let part = page.split_once(heading).unwrap().1;
            part.lines().filter(|line| line.starts_with("| onnx")).take(1).collect::<String>()
        };
        assert_eq!(rows("## What really ran").matches("not known").count(), 3, "{page}");
        let cold_start = rows("## Cold starts");
        assert!(cold_start.contains("no process") && cold_start.contains("not known"), "{cold_start}");
        assert_eq!(rows("## Where the time goes").matches("not known").count(), 4, "{page}");
        assert_eq!(rows("## Resources").matches("no process").count(), 3, "{page}");
    }

    #[test]
    fn an_interrupted_run_says_so() {
        insta::assert_snapshot!(report(&fixture::interrupted()));
    }

    #[test]
    fn a_run_that_measured_nothing_says_why() {
        insta::assert_snapshot!(report(&fixture::nothing()));
    }

    #[test]
    fn the_naive_way_is_shown_beside_the_steady_state() {
        insta::assert_snapshot!(report(&fixture::naive()));
    }

    #[test]
    fn the_answer_comes_first() {
        insta::assert_snapshot!(report(&fixture::decided()));
        insta::assert_snapshot!("nothing_passes", report(&fixture::undecided()));
    }

    #[test]
    fn each_of_several_objectives_has_its_own_figures() {
        insta::assert_snapshot!(report(&fixture::several()));
    }

    #[test]
    fn an_open_model_says_what_was_offered_and_what_became_of_it() {
        insta::assert_snapshot!(report(&fixture::open()));
    }

    #[test]
    fn an_overloaded_backend_says_what_it_took_and_what_was_given_up() {
        insta::assert_snapshot!(report(&fixture::overloaded()));
    }

    #[test]
    fn variations_have_a_table_of_their_own() {
        insta::assert_snapshot!(report(&fixture::matrix()));
    }

    #[test]
    fn loads_that_differ_name_their_backends() {
        insta::assert_snapshot!(report(&fixture::think_times()));
    }

    #[test]
    fn a_capacity_has_its_levels_and_its_search() {
        insta::assert_snapshot!(report(&fixture::capacity()));
    }

    #[test]
    fn a_closed_model_says_that_no_arrival_rate_was_promised() {
        let text = report(&fixture::one());
        let (said, figures) = (text.find("no arrival rate was promised"), text.find("## Objective"));
        assert!(said.is_some() && said < figures, "{text}");
    }

    #[test]
    fn a_quick_run_says_what_its_verdicts_hold_for() {
        let mut record = fixture::one();
        (record.mode, record.horizon) = ("quick".into(), None);
        let text = report(&record);
        let (said, figures) = (text.find("hold only if requests are independent"), text.find("## Objective"));
        assert!(said.is_some() && said < figures, "{text}");
    }

    #[test]
    fn doubts_and_their_remedies_stand_before_the_figures() {
        let record = fixture::five();
        let text = report(&record);
        let figures = text.find("## Objective").expect("a table of figures");
        for doubt in &record.doubts {
            let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
            assert!(at(&doubt.what) < at(&doubt.remedy) && at(&doubt.remedy) < figures);
        }
    }

    #[test]
    fn what_is_not_what_its_name_says_stands_before_the_figures() {
        let text = report(&fixture::executions());
        let said =
            text.find("- **Partial execution: onnx-coreml**: CoreML 36 of 458 nodes, 11 % of the time");
        assert!(said.is_some() && said < text.find("## Objective"), "{text}");
    }

    #[test]
    fn variations_that_differ_in_what_ran_have_columns_for_it() {
        let heads = |record: &RunRecord| {
            let text = report(record);
            let of = text.split("## Variations").nth(1).expect("a section").to_owned();
            let tables = of.lines().filter(|line| line.contains("| peak RSS")).take(2);
            tables.map(|head| ["| ran on", "| vectors"].map(|name| head.contains(name))).collect::<Vec<_>>()
        };
        assert_eq!(heads(&fixture::matrix()), [[false, false]; 2]);
        assert_eq!(heads(&fixture::varied_executions()), [[true, false], [false, true]]);
    }

    #[test]
    fn every_table_has_as_many_cells_in_each_row_whatever_the_texts_contain() {
        let mut odd = fixture::five();
        odd.backends[0].label = "a|b\nc \\| `d|e`".into();
        odd.backends[3].outcome = BackendOutcome::NotAvailable { why: "x | y".into() };
        odd.warnings[0].what = "one\n\n# z\ntwo | three".into();
        odd.backends[0].load.text = "trace a|b\n# z".into();
        odd.scenario.overrides = vec!["name=a|b\n\n# z".into()];
        let mut varied = fixture::matrix();
        for backend in &mut varied.backends {
            backend.corpus.push_str("|x");
            for axis in backend.cell.iter_mut().flat_map(|cell| &mut cell.axes) {
                axis.value.push_str("|\n# z");
            }
        }
        let mut capacity = fixture::capacity();
        capacity.capacities[2].why_not = Some("a | b\n# z".into());
        for record in fixture::all().into_iter().chain([odd, varied, capacity]) {
            let text = report(&record);
            let lines: Vec<&str> = text.lines().collect();
            let bars = |line: &str| line.replace("\\|", "").matches('|').count();
            for pair in lines.windows(2).filter(|pair| pair.iter().all(|line| line.starts_with('|'))) {
                assert_eq!(bars(pair[0]), bars(pair[1]), "{pair:?}");
            }
            assert!(!text.contains("\n# z"), "a text cannot become a heading");
        }
    }
}
