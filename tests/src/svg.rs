//! What a terminal shows, as an SVG picture.
//!
//! Lines, blocks and braille dots are drawn and not set in type: in a browser's font they leave
//! gaps, or are not as wide as a letter.

use std::fmt::{self, Write as _};

use vt100::{Cell, Color, Screen};

/// Size of a character cell, in user units.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;

/// From the top of a cell to the line that letters stand on.
const BASELINE: f64 = 13.5;

/// Around the screen.
const MARGIN: f64 = 10.0;

/// The first sixteen colours; those of xterm.
const SIXTEEN: [u32; 16] = [
    0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f,
    0xff0000, 0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
];

/// What a terminal without any wishes draws with.
const FOREGROUND: u32 = 0xd0d0d0;
const BACKGROUND: u32 = 0x1c1c1c;

/// How some cells look.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    colour: u32,
    ground: u32,
    bold: bool,
    underlined: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (mut colour, mut ground) =
            (rgb(cell.fgcolor(), FOREGROUND), rgb(cell.bgcolor(), BACKGROUND));
        if cell.inverse() {
            (colour, ground) = (ground, colour);
        }
        Self { colour, ground, bold: cell.bold(), underlined: cell.underline() }
    }
}

/// A colour of the terminal as red, green and blue.
fn rgb(colour: Color, default: u32) -> u32 {
    let join = |[red, green, blue]: [u8; 3]| u32::from_be_bytes([0, red, green, blue]);
    match colour {
        Color::Default => default,
        Color::Rgb(red, green, blue) => join([red, green, blue]),
        Color::Idx(index @ 0..16) => SIXTEEN[usize::from(index)],
        // A cube of six levels for each of red, green and blue.
        Color::Idx(index @ 16..232) => {
            let index = index - 16;
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            join([index / 36, index / 6 % 6, index % 6].map(level))
        }
        Color::Idx(grey) => join([8 + 10 * (grey - 232); 3]),
    }
}

/// The picture of a screen, with a title for who cannot see it.
pub fn picture(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let width = f64::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * HEIGHT + 2.0 * MARGIN;
    // The last cell, as most others, has nothing in it but its ground.
    let last = screen.cell(rows.saturating_sub(1), columns.saturating_sub(1));
    let ground = last.map_or(BACKGROUND, |cell| Look::of(cell).ground);
    let mut svg = String::new();
    let written = (|| -> fmt::Result {
        writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\""
        )?;
        writeln!(svg, "     role=\"img\" font-size=\"14\" xml:space=\"preserve\"")?;
        writeln!(svg, "     font-family=\"'DejaVu Sans Mono',Menlo,Consolas,monospace\">")?;
        writeln!(svg, "<title>{}</title>", escaped(title))?;
        writeln!(
            svg,
            "<rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#{ground:06x}\"/>"
        )?;
        writeln!(svg, "<g transform=\"translate({MARGIN} {MARGIN})\">")?;
        for row in 0..rows {
            draw_row(&mut svg, screen, row, columns, ground)?;
        }
        writeln!(svg, "</g>\n</svg>")
    })();
    written.expect("a string takes everything");
    svg
}

/// Draws a row, a run of cells that look the same at a time.
fn draw_row(svg: &mut String, screen: &Screen, row: u16, columns: u16, ground: u32) -> fmt::Result {
    let mut column = 0;
    while column < columns {
        let Some(first) = screen.cell(row, column) else { return Ok(()) };
        let look = Look::of(first);
        let mut run = Vec::new();
        while let Some(cell) = screen.cell(row, column + run.len() as u16)
            && Look::of(cell) == look
        {
            run.push(cell.contents().chars().next().unwrap_or(' '));
        }
        draw_run(svg, &run, look, (row, column), ground)?;
        column += run.len() as u16;
    }
    Ok(())
}

fn draw_run(
    svg: &mut String,
    run: &[char],
    look: Look,
    (row, column): (u16, u16),
    ground: u32,
) -> fmt::Result {
    let (left, top) = (f64::from(column) * WIDTH, f64::from(row) * HEIGHT);
    let Look { colour, bold, underlined, .. } = look;
    if look.ground != ground {
        let width = run.len() as f64 * WIDTH;
        let own = look.ground;
        writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"#{own:06x}\"/>"
        )?;
    }
    let (mut lines, mut areas) = (String::new(), String::new());
    for (place, character) in run.iter().enumerate() {
        let left = left + place as f64 * WIDTH;
        draw_line(&mut lines, *character, left, top)?;
        draw_area(&mut areas, *character, left, top)?;
    }
    if !lines.is_empty() {
        writeln!(svg, "<path d=\"{lines}\" stroke=\"#{colour:06x}\" fill=\"none\"/>")?;
    }
    if !areas.is_empty() {
        writeln!(svg, "<path d=\"{areas}\" fill=\"#{colour:06x}\"/>")?;
    }
    let is_drawn = |c: &char| *c == ' ' || strokes(*c).is_some() || areas_of(*c).next().is_some();
    let mut left = left;
    for word in run.chunk_by(|a, b| is_drawn(a) == is_drawn(b)) {
        let width = word.len() as f64 * WIDTH;
        if !is_drawn(&word[0]) {
            let text = escaped(&word.iter().collect::<String>());
            let weight = if bold { " font-weight=\"bold\"" } else { "" };
            let line = if underlined { " text-decoration=\"underline\"" } else { "" };
            let place = format!("x=\"{left:.1}\" y=\"{:.1}\"", top + BASELINE);
            let colour = format!("fill=\"#{colour:06x}\"{weight}{line}");
            writeln!(svg, "<text {place} textLength=\"{width:.1}\" {colour}>{text}</text>")?;
        }
        left += width;
    }
    Ok(())
}

/// Where the arms of a line character go: left, right, up, down; and whether its corner is round.
fn strokes(character: char) -> Option<([bool; 4], bool)> {
    let arms = |text: &str| ['l', 'r', 'u', 'd'].map(|arm| text.contains(arm));
    Some(match character {
        '─' => (arms("lr"), false),
        '│' => (arms("ud"), false),
        '╭' => (arms("rd"), true),
        '╮' => (arms("ld"), true),
        '╰' => (arms("ru"), true),
        '╯' => (arms("lu"), true),
        '┌' => (arms("rd"), false),
        '┐' => (arms("ld"), false),
        '└' => (arms("ru"), false),
        '┘' => (arms("lu"), false),
        '├' => (arms("rud"), false),
        '┤' => (arms("lud"), false),
        '┬' => (arms("lrd"), false),
        '┴' => (arms("lru"), false),
        '┼' => (arms("lrud"), false),
        _ => return None,
    })
}

fn draw_line(path: &mut String, character: char, left: f64, top: f64) -> fmt::Result {
    let Some((arms, round)) = strokes(character) else { return Ok(()) };
    let (x, y) = (left + WIDTH / 2.0, top + HEIGHT / 2.0);
    let ends = [(left, y), (left + WIDTH, y), (x, top), (x, top + HEIGHT)];
    let ends: Vec<_> =
        ends.into_iter().zip(arms).filter_map(|(end, is_there)| is_there.then_some(end)).collect();
    if let (true, [from, to]) = (round, &*ends) {
        return write!(path, "M{:.1} {:.1}Q{x:.1} {y:.1} {:.1} {:.1}", from.0, from.1, to.0, to.1);
    }
    for end in ends {
        write!(path, "M{x:.1} {y:.1}L{:.1} {:.1}", end.0, end.1)?;
    }
    Ok(())
}

/// The rectangles a block or braille character is made of, in parts of its cell: left, top, width,
/// height.
fn areas_of(character: char) -> impl Iterator<Item = [f64; 4]> {
    let code = u32::from(character);
    let block = match code {
        // Lower eighths.
        0x2581..=0x2588 => {
            let height = f64::from(code - 0x2580) / 8.0;
            Some([0.0, 1.0 - height, 1.0, height])
        }
        // Left eighths.
        0x2589..=0x258f => Some([0.0, 0.0, f64::from(0x2590 - code) / 8.0, 1.0]),
        _ => None,
    };
    let dots = match code {
        0x2800..=0x28ff => code - 0x2800,
        _ => 0,
    };
    // The order of the bits: three rows of the left column, of the right, and the fourth row.
    const PLACES: [(u32, u32); 8] =
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let dots = PLACES.into_iter().enumerate().filter(move |(bit, _)| dots >> bit & 1 == 1);
    let dots = dots.map(|(_, (column, row))| {
        [0.12 + 0.5 * f64::from(column), 0.04 + 0.25 * f64::from(row), 0.3, 0.16]
    });
    block.into_iter().chain(dots)
}

fn draw_area(path: &mut String, character: char, left: f64, top: f64) -> fmt::Result {
    for [x, y, width, height] in areas_of(character) {
        let (x, y) = (left + x * WIDTH, top + y * HEIGHT);
        let (width, height) = (width * WIDTH, height * HEIGHT);
        write!(path, "M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z")?;
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &str) -> String {
        let mut parser = vt100::Parser::new(2, 20, 0);
        parser.process(bytes.as_bytes());
        picture(parser.screen(), "a <test>")
    }

    #[test]
    fn words_keep_their_place_their_colour_and_their_weight() {
        let svg = of("ab \x1b[1;38;5;80m<c>\x1b[0m\r\n\x1b[7mno\x1b[0m");
        assert!(svg.contains("<title>a &lt;test&gt;</title>"));
        assert!(svg.contains(
            "<text x=\"25.2\" y=\"13.5\" textLength=\"25.2\" fill=\"#5fd7d7\" \
             font-weight=\"bold\">&lt;c&gt;</text>"
        ));
        assert!(svg.contains("y=\"31.5\" textLength=\"16.8\" fill=\"#1c1c1c\">no</text>"), "{svg}");
        assert!(svg.contains("width=\"16.8\" height=\"18\" fill=\"#d0d0d0\"/>"));
    }

    #[test]
    fn lines_blocks_and_dots_are_drawn() {
        let svg = of("─▄⣀");
        assert!(svg.contains("M4.2 9.0L0.0 9.0M4.2 9.0L8.4 9.0"), "{svg}");
        assert!(svg.contains("M8.4 9.0h8.4v9.0h-8.4z"), "{svg}");
        assert_eq!(svg.matches("h2.5v2.9h-2.5z").count(), 2, "{svg}");
        assert!(!svg.contains("<text"), "{svg}");
    }

    #[test]
    fn colours_are_those_of_the_256() {
        let rgb = |index| rgb(Color::Idx(index), 0);
        assert_eq!([rgb(1), rgb(16), rgb(231)], [0xcd0000, 0, 0xffffff]);
        assert_eq!([rgb(80), rgb(234), rgb(255)], [0x5fd7d7, 0x1c1c1c, 0xeeeeee]);
    }
}
