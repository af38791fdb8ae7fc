//! The plot of completion over time, as SVG: the share of the peers that are done, next to the least
//! time. No font, script or style is loaded from elsewhere; colours follow the reader's light or dark
//! ground.

use std::fmt::Write;
use std::time::Duration;

use crate::report::Report;

/// The picture, and the part of it that the curve is drawn in.
const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 776.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 364.0;

/// Lines between ticks of the time axis, at most.
const TICKS_MAX: f64 = 10.0;

const STYLE: &str = "
  .ground { fill: #ffffff } text { fill: #3c4450; font: 13px system-ui, sans-serif }
  .title { font-size: 16px; font-weight: 600; fill: #171c24 }
  .grid { stroke: #e2e6ec } .axis { stroke: #8d97a5 }
  .curve { stroke: #1766c0; stroke-width: 2.5; fill: none; stroke-linejoin: round }
  .area { fill: #1766c0; fill-opacity: 0.10 } .mark { fill: #1766c0 }
  .bound { stroke: #c2410c; stroke-width: 2; stroke-dasharray: 6 4 } .least { fill: #c2410c }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #12161c } text { fill: #aab4c2 } .title { fill: #eef2f7 }
    .grid { stroke: #262d37 } .axis { stroke: #5d6876 }
    .curve { stroke: #6cb2ff } .area { fill: #6cb2ff } .mark { fill: #6cb2ff }
    .bound { stroke: #ff9a62 } .least { fill: #ff9a62 }
  }
";

/// The plot of a run.
pub(crate) fn svg(report: &Report, title: &str) -> String {
    let scale = Scale::new(report);
    let mut svg = String::new();
    draw(&mut svg, report, &scale, title).expect("a string takes everything");
    svg
}

fn draw(svg: &mut String, report: &Report, scale: &Scale, title: &str) -> std::fmt::Result {
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">"
    )?;
    writeln!(svg, "<title>{title}</title><style>{STYLE}</style>")?;
    writeln!(
        svg,
        "<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>"
    )?;
    writeln!(
        svg,
        "<text class=\"title\" x=\"{LEFT}\" y=\"30\">{title}</text>"
    )?;
    axes(svg, scale)?;
    curve(svg, report, scale)?;
    bound(svg, report, scale)?;
    marks(svg, report, scale)?;
    writeln!(svg, "</svg>")
}

/// Seconds on the way across.
struct Scale {
    seconds: f64,
    tick: f64,
}

impl Scale {
    fn new(report: &Report) -> Self {
        let last = report.percentile(100).max(report.bound).as_secs_f64();
        let seconds = last * 1.06;
        let ticks = [
            0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
        ];
        let tick = ticks.into_iter().find(|tick| seconds / tick <= TICKS_MAX);
        let tick = tick.unwrap_or(1000.0);
        Self { seconds, tick }
    }

    fn x(&self, at: Duration) -> f64 {
        LEFT + (RIGHT - LEFT) * at.as_secs_f64() / self.seconds
    }

    fn y(share: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * share
    }
}

fn axes(svg: &mut String, scale: &Scale) -> std::fmt::Result {
    for percent in [0, 25, 50, 75, 100] {
        let y = Scale::y(f64::from(percent) / 100.0);
        let class = if percent == 0 { "axis" } else { "grid" };
        line(svg, class, (LEFT, y), (RIGHT, y))?;
        label(
            svg,
            "",
            "end",
            (LEFT - 8.0, y + 4.0),
            &format!("{percent} %"),
        )?;
    }
    let mut at = 0.0;
    while at <= scale.seconds {
        let x = scale.x(Duration::from_secs_f64(at));
        line(svg, "axis", (x, BOTTOM), (x, BOTTOM + 5.0))?;
        let digits = usize::from(scale.tick < 1.0);
        label(
            svg,
            "",
            "middle",
            (x, BOTTOM + 20.0),
            &format!("{at:.digits$}"),
        )?;
        at += scale.tick;
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    label(
        svg,
        "",
        "middle",
        (middle, BOTTOM + 42.0),
        "seconds since the peers arrived",
    )
}

/// A point for each column of the picture in which somebody was done.
fn curve(svg: &mut String, report: &Report, scale: &Scale) -> std::fmt::Result {
    let count = report.done.len() as f64;
    let mut points = format!("{LEFT:.1},{BOTTOM:.1}");
    let (mut x_before, mut done) = (LEFT, 0.0);
    for at in &report.done {
        let x = scale.x(*at);
        if x - x_before >= 0.5 {
            let y = Scale::y(done / count);
            write!(points, " {x_before:.1},{y:.1} {x:.1},{y:.1}")?;
            x_before = x;
        }
        done += 1.0;
    }
    write!(points, " {x_before:.1},{TOP:.1}")?;
    let right = scale.x(Duration::from_secs_f64(scale.seconds));
    write!(points, " {right:.1},{TOP:.1}")?;
    writeln!(
        svg,
        "<polygon class=\"area\" points=\"{points} {right:.1},{BOTTOM:.1}\"/>"
    )?;
    writeln!(svg, "<polyline class=\"curve\" points=\"{points}\"/>")
}

fn bound(svg: &mut String, report: &Report, scale: &Scale) -> std::fmt::Result {
    let x = scale.x(report.bound);
    line(svg, "bound", (x, TOP - 8.0), (x, BOTTOM))?;
    let text = format!("least time {:.2} s", report.bound.as_secs_f64());
    label(svg, "least", "end", (x - 8.0, TOP + 34.0), &text)
}

/// Where half, and almost all, of the peers were done, in a column beside the curve.
fn marks(svg: &mut String, report: &Report, scale: &Scale) -> std::fmt::Result {
    let bound = report.bound.as_secs_f64();
    for (percent, row) in [(50, 0.0), (90, 1.0), (99, 2.0), (100, 3.0)] {
        let at = report.percentile(percent);
        let (x, y) = (scale.x(at), Scale::y(percent as f64 / 100.0));
        writeln!(
            svg,
            "<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"
        )?;
        let seconds = at.as_secs_f64();
        let text = format!(
            "{percent} % at {seconds:.2} s, {:.3} of it",
            seconds / bound
        );
        let place = (scale.x(report.bound) - 8.0, TOP + 58.0 + 20.0 * row);
        label(svg, "", "end", place, &text)?;
    }
    Ok(())
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) -> std::fmt::Result {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    )
}

fn label(
    svg: &mut String,
    class: &str,
    anchor: &str,
    (x, y): (f64, f64),
    text: &str,
) -> std::fmt::Result {
    writeln!(
        svg,
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
    )
}
