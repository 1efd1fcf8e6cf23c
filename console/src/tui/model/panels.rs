//! What the three panels know: rows, selection, scroll position.

use std::{collections::HashMap, sync::Arc};

use tui_tree_widget::{TreeItem, TreeState};
use zeroserve_shared::reason::Severity;

use super::{
    super::{
        field::Field,
        rates::Readings,
        tree::{NodeKey, Sort, Tree},
    },
    Cause,
};
use crate::server::{RouteInfo, RouteName};

/// Up to so many routes, folders are open at first.
const OPEN_UP_TO_ROUTES: usize = 200;

/// How many curves the chart has.
pub(crate) const CURVES: usize = 3;

/// Keeps a row on view: the new first row of a window of `height` rows.
pub(crate) fn scrolled(offset: usize, selected: usize, rows: usize, height: usize) -> usize {
    let height = height.max(1);
    let last_start = rows.saturating_sub(height);
    offset.min(selected).max((selected + 1).saturating_sub(height)).min(last_start)
}

/// The tree of routes.
#[derive(Debug)]
pub(crate) struct RoutesPanel {
    pub(crate) infos: Arc<[RouteInfo]>,
    /// How many of them have a path.
    pub(crate) published: u32,
    pub(crate) tree: Tree,
    /// The tree as it is drawn, without what the filter takes away.
    pub(crate) items: Vec<TreeItem<'static, usize>>,
    /// What the widget has to know: open folders, selection, scroll position. Never asked what
    /// it drew last: several keys may come between two draws.
    pub(crate) state: TreeState<usize>,
    /// Nodes on view by scrolling, top down.
    pub(crate) rows: Vec<usize>,
    /// Index of the selected row.
    pub(crate) selected: usize,
    pub(crate) sort: Sort,
    pub(crate) filter: Field,
    /// Whether keys go to the filter.
    pub(crate) typing: bool,
    /// Folders that somebody opened or closed; the others are as `open_by_default`.
    toggled: HashMap<NodeKey, bool>,
    pub(crate) open_by_default: bool,
}

impl RoutesPanel {
    pub(crate) fn new() -> Self {
        Self {
            infos: Arc::new([]),
            published: 0,
            tree: Tree::default(),
            items: Vec::new(),
            state: TreeState::default(),
            rows: Vec::new(),
            selected: 0,
            sort: Sort::Path,
            filter: Field::default(),
            typing: false,
            toggled: HashMap::new(),
            open_by_default: true,
        }
    }

    /// Takes other routes. The selection stays on what it was on, or else on its row.
    pub(crate) fn replace(&mut self, infos: Arc<[RouteInfo]>, readings: &Readings) {
        if self.infos.is_empty() {
            self.open_by_default = infos.len() <= OPEN_UP_TO_ROUTES;
        }
        let selected = self.selected_key().cloned();
        self.tree = Tree::new(&infos);
        let with_path = infos.iter().filter(|info| matches!(info.name, RouteName::Path(_)));
        self.published = with_path.count() as u32;
        self.infos = infos;
        self.tree.read(readings);
        self.tree.sort(self.sort);
        self.lay_out();
        self.select_key(selected.as_ref());
    }

    /// Sorts by the values of now.
    pub(crate) fn sort(&mut self, sort: Sort) {
        let selected = self.selected_key().cloned();
        self.sort = sort;
        self.tree.sort(sort);
        self.lay_out();
        self.select_key(selected.as_ref());
    }

    /// Sorts by the values of now, unless that is the order already.
    pub(crate) fn sort_again(&mut self) {
        if self.sort != Sort::Path && !self.tree.is_sorted(self.sort) {
            self.sort(self.sort);
        }
    }

    /// Lays the rows out anew, after the filter changed. The selection stays if it still can.
    pub(crate) fn refilter(&mut self) {
        let selected = self.selected_key().cloned();
        self.lay_out();
        self.selected = 0;
        self.select_key(selected.as_ref());
        // A person who filters looks for a route, not for the folder on the way to it.
        let on_folder = self.selected_node().is_some_and(|node| self.tree.at(node).is_folder());
        if on_folder && !self.filter.text().is_empty() {
            let leaf = self.rows.iter().position(|node| !self.tree.at(*node).is_folder());
            self.selected = leaf.unwrap_or(self.selected);
        }
    }

    /// Whether a folder is open.
    pub(crate) fn is_open(&self, key: &NodeKey) -> bool {
        !self.filter.text().is_empty()
            || self.toggled.get(key).copied().unwrap_or(self.open_by_default)
    }

    /// Opens or closes a folder.
    pub(crate) fn open(&mut self, key: &NodeKey, open: bool) {
        self.toggled.insert(key.clone(), open);
        let selected = self.selected_key().cloned();
        self.fold();
        self.select_key(selected.as_ref());
    }

    /// Closes all folders, or opens them all if none is open.
    pub(crate) fn fold_all(&mut self) {
        let any_open = self.tree.folders().any(|folder| self.is_open(&self.tree.at(folder).key));
        let selected = self.selected_key().cloned();
        self.toggled.clear();
        self.open_by_default = !any_open;
        self.fold();
        self.select_key(selected.as_ref());
    }

    fn lay_out(&mut self) {
        self.items = self.tree.items(self.filter.text());
        self.fold();
    }

    /// Has the widget open what is open, which gives the rows.
    fn fold(&mut self) {
        self.state.close_all();
        for folder in self.tree.folders() {
            if self.is_open(&self.tree.at(folder).key) {
                self.state.open(self.tree.trail(folder));
            }
        }
        let rows = self.state.flatten(&self.items);
        self.rows = rows.iter().filter_map(|row| row.identifier.last().copied()).collect();
        self.selected = self.selected.min(self.rows.len().saturating_sub(1));
    }

    /// The selected node of the tree.
    pub(crate) fn selected_node(&self) -> Option<usize> {
        self.rows.get(self.selected).copied()
    }

    fn selected_key(&self) -> Option<&NodeKey> {
        self.selected_node().map(|node| &self.tree.at(node).key)
    }

    /// The selected route, unless a folder is selected.
    pub(crate) fn selected_route(&self) -> Option<&RouteInfo> {
        self.tree.at(self.selected_node()?).route.map(|route| &self.infos[route])
    }

    /// The beginning of the paths in the folder that is selected, or around what is.
    pub(crate) fn selected_folder(&self) -> &str {
        let key = self.selected_node().and_then(|node| match &self.tree.at(node).key {
            key @ NodeKey::Folder(_) => Some(key),
            _ => self.tree.parent(node),
        });
        match key {
            Some(NodeKey::Folder(prefix)) => prefix,
            _ => "/",
        }
    }

    /// Selects what has that key, if it is on view.
    pub(crate) fn select_key(&mut self, key: Option<&NodeKey>) {
        let node = key.and_then(|key| self.tree.find(key));
        if let Some(row) = node.and_then(|node| self.rows.iter().position(|row| *row == node)) {
            self.selected = row;
        }
    }

    /// Opens the folders around something, and selects it.
    pub(crate) fn reveal(&mut self, key: &NodeKey) {
        let Some(node) = self.tree.find(key) else { return };
        let mut folders = self.tree.trail(node);
        folders.pop();
        for folder in folders {
            self.toggled.insert(self.tree.at(folder).key.clone(), true);
        }
        self.fold();
        self.select_key(Some(key));
    }

    /// Moves the selection by so many rows.
    pub(crate) fn step(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(rows).min(last);
    }

    /// Has the widget scroll so that the selection is on a screen of `height` rows.
    pub(crate) fn scroll(&mut self, height: usize) {
        let selected = self.selected_node().map(|node| self.tree.trail(node));
        self.state.select(selected.unwrap_or_default());
        // By itself it would leave rows empty after the last, where there were more before.
        let last_start = self.rows.len().saturating_sub(height);
        self.state.scroll_up(self.state.get_offset().saturating_sub(last_start));
    }
}

/// Why packets left the fast path.
#[derive(Debug)]
pub(crate) struct ReasonsPanel {
    /// All causes there are, in their order.
    pub(crate) all: Vec<Cause>,
    /// Those on view by scrolling.
    pub(crate) rows: Vec<Cause>,
    /// Whether those that were never counted are shown too.
    pub(crate) with_uncounted: bool,
    pub(crate) selected: usize,
    pub(crate) offset: usize,
    /// What somebody selected. Until then the first row is, so that new faults are seen.
    chosen: Option<Cause>,
}

impl ReasonsPanel {
    pub(crate) fn new() -> Self {
        let all = Cause::all();
        Self { all, rows: Vec::new(), with_uncounted: false, selected: 0, offset: 0, chosen: None }
    }

    /// Takes new readings: what is rising comes first, the worst of it before the rest, unless rows
    /// keep their order. The selection stays on its cause.
    pub(crate) fn lay_out(&mut self, readings: &Readings, keep_order: bool) {
        let shown = |cause: &Cause| self.with_uncounted || cause.counted(readings).0 > 0;
        let mut rows: Vec<Cause> = self.all.iter().copied().filter(shown).collect();
        let is_rising = |cause: &Cause| cause.counted(readings).1.is_some_and(|rate| rate > 0.0);
        // Ordinary reasons rise all the time: among those the order of the table is calmer.
        let worries = |cause: &Cause| cause.severity() != Severity::Normal && is_rising(cause);
        rows.sort_by_key(|cause| !worries(cause));
        if keep_order {
            let row = |cause: &Cause| self.rows.iter().position(|known| known == cause);
            rows.sort_by_key(|cause| row(cause).unwrap_or(usize::MAX));
        }
        self.rows = rows;
        let row = self.chosen.and_then(|cause| self.rows.iter().position(|row| *row == cause));
        self.selected = row.unwrap_or(0);
    }

    /// Moves the selection by so many rows.
    pub(crate) fn step(&mut self, rows: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(rows).min(last);
        self.chosen = self.rows.get(self.selected).copied();
    }

    /// Scrolls so that the selection is on a screen of `height` rows.
    pub(crate) fn scroll(&mut self, height: usize) {
        self.offset = scrolled(self.offset, self.selected, self.rows.len(), height);
    }
}

/// Requests, bytes and drops over time.
#[derive(Debug)]
pub(crate) struct ChartPanel {
    zoom: usize,
    /// Which curve is shown where there is room for one only.
    pub(crate) curve: usize,
}

impl ChartPanel {
    /// Spans to choose from, in seconds.
    const SPANS_S: [u64; 5] = [60, 180, 300, 900, 1800];

    pub(crate) fn new() -> Self {
        Self { zoom: 1, curve: 0 }
    }

    /// How much time it shows, in seconds.
    pub(crate) fn span_s(&self) -> u64 {
        Self::SPANS_S[self.zoom]
    }

    /// Goes on by so many curves.
    pub(crate) fn turn(&mut self, by: usize) {
        self.curve = (self.curve + by) % CURVES;
    }

    pub(crate) fn zoom_in(&mut self) {
        self.zoom = self.zoom.saturating_sub(1);
    }

    pub(crate) fn zoom_out(&mut self) {
        self.zoom = (self.zoom + 1).min(Self::SPANS_S.len() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrolling_moves_no_more_than_it_must() {
        assert_eq!(scrolled(0, 4, 10, 5), 0);
        assert_eq!(scrolled(0, 5, 10, 5), 1);
        assert_eq!(scrolled(5, 4, 10, 5), 4);
        assert_eq!(scrolled(9, 9, 10, 5), 5);
        assert_eq!(scrolled(3, 0, 0, 5), 0);
    }
}
