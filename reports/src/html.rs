//! How a page is written in HTML: one file that needs no network, works from a disk and in a mail, in light and in dark, on paper
//! and for a screen reader. The pictures stand in it as SVG; with JavaScript two of them become charts that tell their values.
//!
//! It is well-formed XML too, so that a test can read what it says.

mod charts;

use std::io::{self, Write};

use crate::page::{Block, Column, Item, Page, Side, Span, Text, can_wait, has_picture};
use crate::record::{Change, Comparison, RunRecord, Verdict};
use crate::view::turns_direction;

const STYLE: &str = include_str!("html/style.css");
/// The charts of a page that has none: it is short, and nothing of it is folded.
const NO_CHARTS: &str = "[]";
const SCRIPT: &str = include_str!("html/script.js");

/// Writes a page, with the charts of its record.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write(page: &Page, record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    let tone = match record.overall {
        _ if record.decision.as_ref().is_some_and(|made| made.answer.is_some()) => Tone::Pass,
        Some(Verdict::Pass) => Tone::Pass,
        Some(Verdict::Fail) => Tone::Fail,
        Some(Verdict::Inconclusive) | None => Tone::Open,
    };
    write_page(page, &record.scenario.name, tone, &charts::data(record), out)
}

/// Writes the page of a comparison.
///
/// # Errors
/// Only those of the writer.
pub(crate) fn write_comparison(page: &Page, comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut figures = comparison.backends.iter().flat_map(|backend| &backend.figures);
    let tone = match comparison.has_regression() {
        true => Tone::Fail,
        false if figures.all(|figure| figure.outcome != Change::CannotTell) => Tone::Pass,
        false => Tone::Open,
    };
    write_page(page, &comparison.after.id, tone, NO_CHARTS, out)
}

/// What the answer is colored as; its words say the same.
#[derive(Clone, Copy, Debug)]
enum Tone {
    Pass,
    Fail,
    Open,
}

fn write_page(page: &Page, name: &str, tone: Tone, data: &str, out: &mut dyn Write) -> io::Result<()> {
    let title = escaped(&format!("{name}: tailmark"));
    // Nothing is fetched, from wherever, and nothing is sent.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\" />\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
    )?;
    let mut sections = page.sections().into_iter();
    if let Some(head) = sections.next() {
        opening(head, tone, out)?;
    }
    let mut after_a_picture = false;
    for section in sections {
        let is_open = data == NO_CHARTS || !can_wait(section, after_a_picture);
        write_section(section, is_open, out)?;
        after_a_picture |= has_picture(section);
    }
    writeln!(
        out,
        "</main>\n<script type=\"application/json\" id=\"chart-data\">{data}</script>\n<script>\n//<![CDATA[\n{SCRIPT}//]]>\n\
         </script>\n</body>\n</html>"
    )
}

/// The head of the page: its first paragraph is the answer, or the verdict where there is none.
fn opening(blocks: &[Block], tone: Tone, out: &mut dyn Write) -> io::Result<()> {
    let is_paragraph = |block: &&Block| matches!(block, Block::Paragraph(_));
    let first = blocks.iter().find(is_paragraph).map(std::ptr::from_ref);
    for block in blocks {
        match block {
            Block::Paragraph(text) if first == Some(std::ptr::from_ref(block)) => {
                let class = match tone {
                    Tone::Pass => "pass",
                    Tone::Fail => "fail",
                    Tone::Open => "open",
                };
                writeln!(out, "<p class=\"answer {class}\">{}</p>", inline(text))?;
            }
            block => write_block(block, out)?,
        }
    }
    Ok(())
}

/// A section, open or folded.
fn write_section(blocks: &[Block], is_open: bool, out: &mut dyn Write) -> io::Result<()> {
    let Some((Block::Heading { text, .. }, rest)) = blocks.split_first() else {
        return blocks.iter().try_for_each(|block| write_block(block, out));
    };
    let heading = format!("<h2>{}</h2>", inline(text));
    match is_open {
        true => writeln!(out, "<section>\n{heading}")?,
        false => writeln!(out, "<details>\n<summary>{heading}</summary>")?,
    }
    rest.iter().try_for_each(|block| write_block(block, out))?;
    writeln!(out, "{}", if is_open { "</section>" } else { "</details>" })
}

fn write_block(block: &Block, out: &mut dyn Write) -> io::Result<()> {
    match block {
        Block::Heading { level, text } => writeln!(out, "<h{level}>{}</h{level}>", inline(text)),
        Block::Paragraph(text) => writeln!(out, "<p>{}</p>", inline(text)),
        Block::List(items) => {
            writeln!(out, "<ul>\n{}</ul>", items.iter().map(item).collect::<String>())
        }
        Block::Table { columns, rows } => write_table(columns, rows, out),
        Block::Code { lines, .. } => {
            writeln!(out, "<pre tabindex=\"0\"><code>{}</code></pre>", escaped(lines.trim_end()))
        }
        Block::Picture { picture, drawing } => writeln!(
            out,
            "<figure id=\"{}\">{}<figcaption>{}</figcaption></figure>",
            charts::figure(picture.file),
            drawing.trim(),
            escaped(picture.description)
        ),
    }
}

fn item(item: &Item) -> String {
    let under: String = item.under.iter().map(|text| format!("<li>{}</li>", inline(text))).collect();
    let under = if under.is_empty() { under } else { format!("<ul>{under}</ul>") };
    format!("<li>{}{under}</li>\n", inline(&item.text))
}

/// A table that scrolls by itself where the page is narrow, by keyboard too.
fn write_table(columns: &[Column], rows: &[Vec<Text>], out: &mut dyn Write) -> io::Result<()> {
    let class = |side: Side| if side == Side::Right { " class=\"r\"" } else { "" };
    let name = columns.first().map(|column| column.head.plain()).unwrap_or_default();
    writeln!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"table by {}\"><table>\n<thead><tr>",
        escaped(&name)
    )?;
    for column in columns {
        write!(out, "<th scope=\"col\"{}>{}</th>", class(column.side), inline(&column.head))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows {
        write!(out, "<tr>")?;
        for (cell, column) in row.iter().zip(columns) {
            write!(out, "<td{}>{}</td>", class(column.side), inline(cell))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn inline(text: &Text) -> String {
    let written = text.spans().iter().map(|span| match span {
        Span::Plain(text) => escaped(text),
        Span::Strong(text) => format!("<strong>{}</strong>", escaped(text)),
        Span::Emphasis(text) => format!("<em>{}</em>", escaped(text)),
        Span::Code(text) => format!("<code>{}</code>", escaped(text)),
    });
    written.collect::<String>().trim().to_owned()
}

/// A text with nothing in it that is markup, and nothing that turns the direction in which what follows is read.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            character if turns_direction(character) => {}
            '\n' | '\t' => safe.push(character),
            character if character.is_control() => safe.push(' '),
            character => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Decision;
    use crate::{fixture, page};

    fn html(record: &RunRecord) -> String {
        let mut out = Vec::new();
        write(&page::of(record), record, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Every text of the page that is for people, in order.
    fn read(text: &str) -> String {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, options).unwrap();
        let body = document.descendants().find(|node| node.has_tag_name("main")).unwrap();
        let texts = body.descendants().filter(|node| node.is_text()).filter_map(|node| node.text());
        texts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_answer_is_the_first_thing_that_is_read_and_every_run_can_be() {
        for record in fixture::all() {
            read(&html(&record));
        }
        let text = read(&html(&fixture::decided()));
        let answer = text.find("Deploy onnx-cpu: P95 response time ").unwrap();
        let table = text.find("ratio to the first").unwrap();
        assert!(answer < table && text.contains("torch-mps was not measured"), "{text}");
    }

    #[test]
    fn nothing_is_fetched_and_the_page_says_so_to_the_browser() {
        let text = html(&fixture::five());
        for forbidden in ["src=", "href=", "url(", "@import", "fetch(", "XMLHttp"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
        assert!(text.contains("default-src 'none'"));
    }

    #[test]
    fn a_name_is_a_name_whatever_it_contains() {
        let evil = "</script><script>alert(1)</script>|\u{202e}\"'&]]>\nx";
        let mut record = fixture::decided();
        record.scenario.title = evil.to_owned();
        record.backends[0].name = evil.to_owned();
        record.backends[0].label = evil.repeat(8);
        if let Some(Decision { rows, answer, .. }) = &mut record.decision {
            rows[0].backend = evil.to_owned();
            *answer = Some(evil.to_owned());
        }
        let text = html(&record);
        let read = read(&text);
        assert!(read.contains("</script><script>alert(1)</script>|\"'&]]> x"), "{read}");
        assert!(!text.contains("<script>alert") && !text.contains('\u{202e}'));
        assert_eq!(text.matches("<script").count(), 2);
    }

    #[test]
    fn it_is_the_same_every_time_and_small() {
        let record = fixture::eight();
        let text = html(&record);
        assert_eq!(text, html(&record));
        assert!(text.len() < 2 << 20, "{}", text.len());
    }
}
