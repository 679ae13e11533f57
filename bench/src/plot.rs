//! The table as a picture: a dot per ratio on a logarithmic axis, its spread as a line, its goal as a mark. The picture
//! brings its own card and its own colours for light and dark, so that it can be read on any page.

use std::fmt::Write as _;

use crate::report::{Goal, Report, Row, number};

const WIDTH: f64 = 980.0;
/// The axis lies between these.
const LEFT: f64 = 330.0;
const RIGHT: f64 = 720.0;
const TOP: f64 = 92.0;
const LINE: f64 = 25.0;
/// Above a group's name.
const GAP: f64 = 14.0;

const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 }
.group { font-weight: 600 }
.quiet, .tick { fill: #59636e }
.tick { font-size: 11px; text-anchor: middle }
text.value { stroke: none; font-variant-numeric: tabular-nums; font-weight: 600 }
.card { fill: #ffffff; stroke: #d1d9e0 }
.grid { stroke: #d1d9e0 }
.one { stroke: #818b98; stroke-dasharray: 3 3 }
.goal { stroke: #59636e; stroke-width: 2 }
.met { fill: #1a7f37; stroke: #1a7f37 }
.missed { fill: #bc4c00; stroke: #bc4c00 }
.none { fill: #0969da; stroke: #0969da }
.spread { stroke-width: 3; stroke-opacity: 0.35; stroke-linecap: round }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .quiet, .tick { fill: #9198a1 }
  .card { fill: #0d1117; stroke: #3d444d }
  .grid { stroke: #2a313c }
  .one { stroke: #656c76 }
  .goal { stroke: #9198a1 }
  .met { fill: #3fb950; stroke: #3fb950 }
  .missed { fill: #f0883e; stroke: #f0883e }
  .none { fill: #4493f8; stroke: #4493f8 }
}
";

/// The axis: from 10 to the power of `from` to 10 to the power of `to`.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// Whole powers of ten around every dot, and around 1.
    fn around(rows: &[Row]) -> Self {
        let all = rows.iter().flat_map(|row| [row.spread[0], row.spread[1], row.ratio]);
        let logs = all.filter(|ratio| *ratio > 0.0).map(f64::log10);
        let (low, high) = logs.fold((-0.5_f64, 0.5_f64), |(low, high), log| (low.min(log), high.max(log)));
        Self { from: low.floor(), to: high.ceil() }
    }

    fn x(&self, ratio: f64) -> f64 {
        let at = (ratio.max(f64::MIN_POSITIVE).log10() - self.from) / (self.to - self.from);
        LEFT + at.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }
}

/// The picture, as SVG 1.1.
pub(crate) fn svg(report: &Report) -> String {
    let axis = Axis::around(&report.rows);
    let (mut body, mut y, mut group) = (String::new(), TOP, "");
    for row in &report.rows {
        if row.group != group {
            group = row.group;
            y += GAP;
            text(&mut body, 24.0, y, "group", group);
            y += LINE;
        }
        draw(&mut body, &axis, row, y);
        y += LINE;
    }
    for missing in &report.missing {
        y += GAP;
        text(&mut body, 24.0, y, "quiet", &format!("{}: {}", missing.what, missing.why));
    }
    let height = y + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>What packhost costs, as ratios</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        WIDTH - 1.0,
        height - 1.0
    );
    text(&mut svg, 24.0, 34.0, "title", "packhost divided by what it is held against");
    let about = format!(
        "medians over rounds taken in turns, {} processors, {}; upright mark: the goal; green: met, orange: missed, blue: none",
        report.processors, report.kernel
    );
    text(&mut svg, 24.0, 55.0, "quiet", &about);
    grid(&mut svg, &axis, y - LINE / 2.0);
    svg + &body + "</svg>\n"
}

fn grid(svg: &mut String, axis: &Axis, bottom: f64) {
    let mut power = axis.from;
    while power <= axis.to {
        let (ratio, class) = (10_f64.powf(power), if power == 0.0 { "one" } else { "grid" });
        line(svg, class, (axis.x(ratio), TOP - 8.0), (axis.x(ratio), bottom));
        text(svg, axis.x(ratio), TOP - 14.0, "tick", &format!("{ratio}×"));
        power += 1.0;
    }
}

fn draw(body: &mut String, axis: &Axis, row: &Row, y: f64) {
    let (class, middle) = (class(row), y - 4.5);
    text(body, 40.0, y, "", &row.what);
    line(body, &format!("spread {class}"), (axis.x(row.spread[0]), middle), (axis.x(row.spread[1]), middle));
    if let Some(goal) = row.goal.and_then(Goal::ratio) {
        line(body, "goal", (axis.x(goal), middle - 8.0), (axis.x(goal), middle + 8.0));
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        body,
        "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{middle:.1}\" r=\"5\"/>",
        axis.x(row.ratio)
    );
    text(body, RIGHT + 24.0, y, &format!("value {class}"), &format!("{}×", number(row.ratio)));
    text(body, RIGHT + 86.0, y, "quiet", row.against);
}

fn class(row: &Row) -> &'static str {
    match row.met {
        Some(true) => "met",
        Some(false) => "missed",
        None => "none",
    }
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    // As above.
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    // As above.
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}
