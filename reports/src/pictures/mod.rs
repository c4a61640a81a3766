//! The pictures of a report, drawn as SVG from a run record.
//!
//! One file for each picture, and one line in [`PICTURES`]. A picture places and scales what the record holds; the
//! shapes come from `canvas`, the ticks from `axis`, what surrounds the data from `frame`, the colors from `palette`.

mod axis;
mod backends;
mod canvas;
mod capacity;
mod cells;
mod cold_start;
mod exceedance;
mod frame;
mod latency_over_time;
mod palette;
mod percentiles;
#[cfg(test)]
mod tests;

use plotters::style::RGBColor;

use crate::record::RunRecord;

/// A picture that a report can have.
#[derive(Debug)]
pub struct Picture {
    /// Name of the file in the run folder.
    pub file: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What can be seen on it, for people who cannot see it.
    pub description: &'static str,
    /// Draws it as SVG; `None` when the record holds nothing to draw.
    pub draw: fn(&RunRecord) -> Option<String>,
}

/// The color of the `index`-th of several series, as HTML has it.
pub(crate) fn series_color(index: usize) -> String {
    let RGBColor(red, green, blue) = palette::series(index);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Every picture, in the order of the report.
pub const PICTURES: &[Picture] = &[
    Picture {
        file: "capacity.svg",
        title: "Capacity",
        description: "P50, P95 and P99 of the response time over the offered rate for each backend, with the verdict of \
                      each certified rate and the limits of the objectives, and the achieved rate over the offered one",
        draw: capacity::picture,
    },
    Picture {
        file: "backends.svg",
        title: "Backends side by side",
        description: "P50, P95 and P99 of the response time in steady state for each backend, with 95 % intervals \
                      and the limits of the objectives",
        draw: backends::picture,
    },
    Picture {
        file: "cells.svg",
        title: "Variations of a backend",
        description: "P50, P95 and P99 of the response time in steady state for each variation of a backend, with 95 % \
                      intervals, the limits of the objectives and the verdicts",
        draw: cells::picture,
    },
    Picture {
        file: "exceedance.svg",
        title: "Requests over the limit",
        description: "the share of requests over the limit in the course of the run, for each backend and objective, with \
                      the range that is not ruled out and the share that is allowed",
        draw: exceedance::picture,
    },
    Picture {
        file: "percentiles.svg",
        title: "Percentile curves",
        description: "response time over the percentile for each backend, on a logarithmic axis of percentiles, with 95 % intervals \
                      and the limits of the objectives",
        draw: percentiles::picture,
    },
    Picture {
        file: "latency_over_time.svg",
        title: "Latency over time",
        description: "response times in the order of the run, one panel for each backend, with cold start, warm-up \
                      and steady state in different colors",
        draw: latency_over_time::picture,
    },
    Picture {
        file: "cold_start.svg",
        title: "Cold start by stage",
        description: "time from spawn to the first vector for each backend, split into spawn, import, load and \
                      first embedding",
        draw: cold_start::picture,
    },
];
