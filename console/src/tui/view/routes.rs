//! The tree of routes, and columns beside the rows of it that are on the screen.

use ratatui::{
    Frame,
    layout::{Constraint, Offset, Rect},
    text::{Line, Span},
    widgets::{Clear, Row, Table},
};
use tui_tree_widget::{Tree, TreeState};
use unicode_width::UnicodeWidthStr as _;

use super::{panel, right};
use crate::server::RouteInfo;
use crate::tui::{
    format,
    model::{Model, Panel, RoutesPanel},
    rates::SPARK_POINTS,
    theme,
    tree::{Node, Sort},
};

/// The path keeps this width: columns for which there is no room then are left out.
const PATH_WIDTH: u16 = 22;

/// Columns of the curve beside a route.
const SPARK_WIDTH: u16 = 10;

/// One column beside the path.
struct Column {
    title: &'static str,
    width: u16,
    /// Those with the highest ranks are left out first.
    rank: u8,
    sort: Option<Sort>,
    flush_right: bool,
    text: fn(&RoutesPanel, node: usize, info: Option<&RouteInfo>) -> String,
}

impl Column {
    const fn new(
        title: &'static str,
        width: u16,
        rank: u8,
        text: fn(&RoutesPanel, node: usize, info: Option<&RouteInfo>) -> String,
    ) -> Self {
        Self { title, width, rank, sort: None, flush_right: true, text }
    }

    const fn sorted(self, sort: Sort) -> Self {
        Self { sort: Some(sort), ..self }
    }

    const fn flush_left(self) -> Self {
        Self { flush_right: false, ..self }
    }
}

const COLUMNS: [Column; 13] = [
    Column::new("hits", 6, 3, |routes, node, _| format::count(routes.tree.reading(node).hits))
        .sorted(Sort::Hits),
    Column::new("last 10 s", SPARK_WIDTH, 5, |routes, node, _| {
        let spark = routes.tree.trend(node).spark;
        format::spark(&spark[SPARK_POINTS - usize::from(SPARK_WIDTH)..])
    })
    .flush_left(),
    Column::new("hits/s", 8, 1, |routes, node, _| {
        format::rate(routes.tree.reading(node).hits_per_s)
    })
    .sorted(Sort::HitRate),
    Column::new("10 s", 8, 8, |routes, node, _| format::rate(routes.tree.trend(node).means[0])),
    Column::new("100 s", 8, 9, |routes, node, _| format::rate(routes.tree.trend(node).means[1])),
    Column::new("1000 s", 8, 10, |routes, node, _| format::rate(routes.tree.trend(node).means[2])),
    Column::new("peak", 8, 11, |routes, node, _| match routes.tree.trend(node).peak {
        None => String::new(),
        peak => format::rate(peak),
    }),
    Column::new("bytes/s", 9, 2, |routes, node, _| {
        format::byte_rate(routes.tree.reading(node).bytes_per_s)
    })
    .sorted(Sort::ByteRate),
    Column::new("delivered", 9, 12, |routes, node, _| {
        format::bytes(routes.tree.reading(node).bytes)
    }),
    Column::new("size", 7, 4, |routes, node, _| format::bytes(routes.tree.size_bytes(node)))
        .sorted(Sort::Size),
    Column::new("code", 4, 6, |_, _, info| {
        info.map(|info| info.status.to_string()).unwrap_or_default()
    }),
    Column::new("ver", 3, 7, |_, _, info| {
        info.map(|info| info.version.to_string()).unwrap_or_default()
    }),
    Column::new("type", 16, 13, |_, _, info| {
        info.map(|info| info.content_type.clone()).unwrap_or_default()
    })
    .flush_left(),
];

/// The columns for which there is room beside the path.
fn columns(width: u16) -> Vec<&'static Column> {
    let mut by_rank: Vec<&Column> = COLUMNS.iter().collect();
    by_rank.sort_by_key(|column| column.rank);
    let mut room = width.saturating_sub(PATH_WIDTH);
    let fitting = by_rank.into_iter().take_while(|column| {
        let rest = room.checked_sub(column.width + 2);
        room = rest.unwrap_or(0);
        rest.is_some()
    });
    let last = fitting.map(|column| column.rank).last().unwrap_or(0);
    COLUMNS.iter().filter(|column| column.rank <= last).collect()
}

pub(super) fn draw(model: &Model, state: &mut TreeState<usize>, frame: &mut Frame<'_>, area: Rect) {
    let routes = &model.routes;
    let block = panel(model, Panel::Routes, title(model)).title_bottom(position(routes));
    let inner = block.inner(area);
    let columns = columns(inner.width);
    let taken: u16 = columns.iter().map(|column| column.width + 2).sum();
    let path_width = inner.width.saturating_sub(taken);
    // Below the heading.
    let body = inner.intersection(inner.offset(Offset { x: 0, y: 1 }));
    let paths = Rect { width: path_width, ..body };

    let tree = Tree::new(&routes.items).expect("a node is a root once");
    let tree = tree.node_open_symbol("▾ ").node_closed_symbol("▸ ");
    frame.render_stateful_widget(tree, paths, state);
    let height = body.height.into();
    let seen = routes.rows.iter().skip(state.get_offset()).take(height);
    for (row, node) in paths.rows().zip(seen.clone()) {
        shorten(routes.tree.at(*node), frame, row);
    }

    // Over the tree, whose indents may reach beyond its area.
    let rows = seen.map(|node| {
        let selected = routes.selected_node() == Some(*node);
        line(routes, *node, &columns).style(match (selected, model.focus == Panel::Routes) {
            (true, true) => theme::SELECTED,
            (true, false) => theme::MARKED,
            _ => theme::PLAIN,
        })
    });
    let widths = std::iter::once(path_width).chain(columns.iter().map(|column| column.width));
    let table = Table::new(rows, widths.map(Constraint::Length))
        .column_spacing(2)
        .header(heading(routes, &columns))
        .block(block);
    frame.render_widget(table, area);
    if routes.rows.is_empty() {
        empty(model, frame, inner);
    }
}

/// Leaves out the middle of a name that is too long; the widget would leave out its end.
fn shorten(node: &Node, frame: &mut Frame<'_>, row: Rect) {
    let before = 2 * node.depth + 2;
    let name = Rect { x: row.x + before, width: row.width.saturating_sub(before), ..row };
    if node.label.width() > name.width.into() {
        frame.render_widget(Clear, name);
        let short = format::shortened(&node.label, name.width.into());
        frame.render_widget(Line::styled(short, node.style()), name);
    }
}

fn title(model: &Model) -> Line<'static> {
    let routes = &model.routes;
    let mut spans = vec![Span::styled(" Routes ", theme::TITLE)];
    if routes.typing || !routes.filter.text().is_empty() {
        let cursor = if routes.typing { "█" } else { "" };
        let filter = format!(" filter: {}{cursor} ", routes.filter.text());
        spans.push(Span::styled(filter, theme::WARNING));
    }
    if routes.sort != Sort::Path {
        spans.push(Span::styled(format!(" by {} ", routes.sort.column()), theme::ACCENT));
    }
    Line::from(spans)
}

fn position(routes: &RoutesPanel) -> Line<'static> {
    if routes.rows.is_empty() {
        return Line::default();
    }
    let (row, rows) = (routes.selected as u64 + 1, routes.rows.len() as u64);
    let text = format!(" {} of {} ", format::exact(row), format::exact(rows));
    Line::styled(text, theme::FAINT).right_aligned()
}

fn heading(routes: &RoutesPanel, columns: &[&Column]) -> Row<'static> {
    let mark = |sort: Option<Sort>| {
        if sort == Some(routes.sort) { theme::TITLE } else { theme::FAINT }
    };
    let cells = columns.iter().map(|column| {
        let title = Line::styled(column.title, mark(column.sort));
        if column.flush_right { title.right_aligned() } else { title }
    });
    Row::new(std::iter::once(Line::styled("  path", mark(Some(Sort::Path)))).chain(cells))
}

/// What stands beside a path.
fn line(routes: &RoutesPanel, node: usize, columns: &[&Column]) -> Row<'static> {
    let shown = routes.tree.at(node);
    let info = shown.route.map(|route| &routes.infos[route]);
    let idle = routes.tree.reading(node).hits_per_s == Some(0.0);
    let cells = columns.iter().map(|column| {
        let text = (column.text)(routes, node, info);
        // Of what moves not, only what has been is of interest.
        let style = if column.title.ends_with("/s") && idle { theme::FAINT } else { shown.style() };
        if column.flush_right {
            Line::styled(right(&text, column.width.into()), style)
        } else {
            Line::styled(format::shortened(&text, column.width.into()), theme::FAINT)
        }
    });
    Row::new(std::iter::once(Line::default()).chain(cells))
}

fn empty(model: &Model, frame: &mut Frame<'_>, inner: Rect) {
    let text = if !model.routes.filter.text().is_empty() {
        "no path contains this; Esc clears the filter"
    } else if model.shown.taken.is_none() {
        "reading the routes …"
    } else {
        "nothing is served yet; press a to publish a file"
    };
    let row = Rect { y: inner.y + inner.height / 2, height: 1, ..inner };
    frame.render_widget(Line::styled(text, theme::FAINT).centered(), row);
}
