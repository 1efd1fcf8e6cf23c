//! The tree of routes: folders from the slashes in paths, sums, order, and which of it a filter
//! leaves. Folding, scrolling and drawing it are up to `tui-tree-widget`.

use std::{collections::HashMap, iter::successors, sync::Arc};

use ratatui::{style::Style, text::Line};
use tui_tree_widget::TreeItem;
use zeroserve_shared::route::FixedRoute;

use super::{
    rates::{MEANS_S, Readings, RouteReading, RouteTrend, SPARK_POINTS},
    theme,
};
use crate::server::{RouteInfo, RouteName};

/// How often a node was asked for over longer times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct NodeTrend {
    /// Hits per second, by the times of [`MEANS_S`].
    pub(crate) means: [Option<f64>; MEANS_S.len()],
    /// The best second. Folders have none: their routes peak at different times.
    pub(crate) peak: Option<f64>,
    /// Hits per second in the last seconds, the newest last.
    pub(crate) spark: [f32; SPARK_POINTS],
}

impl NodeTrend {
    fn add(&mut self, other: &Self) {
        for (sum, mean) in self.means.iter_mut().zip(other.means) {
            *sum = sum.zip(mean).map(|(a, b)| a + b).or(*sum).or(mean);
        }
        for (sum, point) in self.spark.iter_mut().zip(other.spark) {
            *sum += point;
        }
    }
}

impl From<&RouteTrend> for NodeTrend {
    fn from(trend: &RouteTrend) -> Self {
        Self { means: trend.hits.means(), peak: trend.hits.peak(), spark: trend.spark }
    }
}

/// What a row stands for. Stays the same when routes come and go, so that the selection does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NodeKey {
    /// A folder: the beginning of its paths, with the slash.
    Folder(String),
    /// The folder of fixed answers.
    FixedAnswers,
    /// A route, by its index.
    Route(u32),
}

/// A folder or a route.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) key: NodeKey,
    /// What is shown: the last segment of the path.
    pub(crate) label: String,
    pub(crate) depth: u16,
    /// Position in the list of routes, unless it is a folder.
    pub(crate) route: Option<usize>,
    parent: Option<usize>,
    children: Vec<usize>,
}

impl Node {
    /// Whether it can be folded.
    pub(crate) fn is_folder(&self) -> bool {
        self.route.is_none()
    }

    /// How its name looks.
    pub(crate) fn style(&self) -> Style {
        if self.is_folder() { theme::STRONG } else { theme::PLAIN }
    }
}

/// How siblings are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Path,
    Hits,
    HitRate,
    ByteRate,
    Size,
}

impl Sort {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 5] =
        [Self::Path, Self::Hits, Self::HitRate, Self::ByteRate, Self::Size];

    /// The one that follows.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Path => Self::Hits,
            Self::Hits => Self::HitRate,
            Self::HitRate => Self::ByteRate,
            Self::ByteRate => Self::Size,
            Self::Size => Self::Path,
        }
    }

    /// Which column it goes by.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Hits => "hits",
            Self::HitRate => "hits/s",
            Self::ByteRate => "bytes/s",
            Self::Size => "size",
        }
    }
}

/// The tree of all routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// Parents come before their children.
    nodes: Vec<Node>,
    roots: Vec<usize>,
    /// What each node shows, folders the sums of their routes.
    readings: Vec<RouteReading>,
    /// What `readings` was made from.
    readings_from: Arc<HashMap<u32, RouteReading>>,
    trends: Vec<NodeTrend>,
    /// What `trends` was made from.
    trends_from: Arc<HashMap<u32, RouteTrend>>,
    /// Bytes of the bodies in it.
    sizes: Vec<u64>,
    /// Lower-case paths, to filter by; empty for folders.
    haystacks: Vec<String>,
}

impl Tree {
    /// Lays the routes out by path; the fixed answers form a folder of their own, at the end.
    pub(crate) fn new(routes: &[RouteInfo]) -> Self {
        let mut tree = Self::default();
        let mut folders = HashMap::new();
        let (mut paths, mut fixed) = (Vec::new(), Vec::new());
        for (position, info) in routes.iter().enumerate() {
            match &info.name {
                RouteName::Path(path) => paths.push((position, info, path.as_str())),
                RouteName::Fixed(answer) => fixed.push((position, info, *answer)),
            }
        }
        for (position, info, path) in paths {
            let slash = path.rfind('/').unwrap_or(0);
            let parent = tree.folder(&mut folders, &path[..=slash]);
            let name = &path[slash + 1..];
            let label = if name.is_empty() { "/" } else { name };
            tree.leaf(parent, position, info, label.into());
        }
        if !fixed.is_empty() {
            let folder = tree.node(NodeKey::FixedAnswers, "built-in answers", None);
            for (position, info, answer) in fixed {
                tree.leaf(Some(folder), position, info, fixed_label(answer));
            }
        }
        tree.readings = vec![RouteReading::default(); tree.nodes.len()];
        tree.sum_sizes(routes);
        tree
    }

    /// The folder whose paths begin so, made if need be; none for the root.
    fn folder(&mut self, folders: &mut HashMap<String, usize>, prefix: &str) -> Option<usize> {
        if prefix == "/" {
            return None;
        }
        if let Some(known) = folders.get(prefix) {
            return Some(*known);
        }
        let inner = &prefix[..prefix.len() - 1];
        // What only one host has is in a folder that is named after it, as in `//example.org/`.
        let (slash, label_start) = match inner.rfind('/').unwrap_or(0) {
            1 if prefix.starts_with("//") => (0, 0),
            slash => (slash, slash + 1),
        };
        let parent = self.folder(folders, &prefix[..=slash]);
        let node = self.node(NodeKey::Folder(prefix.into()), &prefix[label_start..], parent);
        folders.insert(prefix.into(), node);
        Some(node)
    }

    fn node(&mut self, key: NodeKey, label: &str, parent: Option<usize>) -> usize {
        let node = self.nodes.len();
        let depth = parent.map_or(0, |parent| self.nodes[parent].depth + 1);
        match parent {
            Some(parent) => self.nodes[parent].children.push(node),
            None => self.roots.push(node),
        }
        let label = label.into();
        self.nodes.push(Node { key, label, depth, route: None, parent, children: Vec::new() });
        self.haystacks.push(String::new());
        node
    }

    fn leaf(&mut self, parent: Option<usize>, position: usize, info: &RouteInfo, label: String) {
        let node = self.node(NodeKey::Route(info.index), &label, parent);
        self.nodes[node].route = Some(position);
        self.haystacks[node] = match &info.name {
            RouteName::Path(path) => path.as_str().to_lowercase(),
            RouteName::Fixed(_) => label.to_lowercase(),
        };
    }

    fn sum_sizes(&mut self, routes: &[RouteInfo]) {
        self.sizes = vec![0; self.nodes.len()];
        for index in (0..self.nodes.len()).rev() {
            if let Some(route) = self.nodes[index].route {
                self.sizes[index] = u64::from(routes[route].body_bytes);
            }
            if let Some(parent) = self.nodes[index].parent {
                self.sizes[parent] += self.sizes[index];
            }
        }
    }

    /// Takes new readings. The order of the rows stays.
    pub(crate) fn read(&mut self, readings: &Readings) {
        self.read_trends(&readings.trends);
        if Arc::ptr_eq(&readings.routes, &self.readings_from) {
            return;
        }
        self.readings_from = Arc::clone(&readings.routes);
        self.readings.fill(RouteReading::default());
        for index in (0..self.nodes.len()).rev() {
            if let NodeKey::Route(route) = self.nodes[index].key {
                self.readings[index] = readings.routes.get(&route).copied().unwrap_or_default();
            }
            if let Some(parent) = self.nodes[index].parent {
                let reading = self.readings[index];
                self.readings[parent].add(&reading);
            }
        }
    }

    /// Trends change once a second, and cost too much to be summed up more often.
    fn read_trends(&mut self, trends: &Arc<HashMap<u32, RouteTrend>>) {
        if Arc::ptr_eq(trends, &self.trends_from) && self.trends.len() == self.nodes.len() {
            return;
        }
        self.trends_from = Arc::clone(trends);
        self.trends.clear();
        self.trends.resize(self.nodes.len(), NodeTrend::default());
        for index in (0..self.nodes.len()).rev() {
            if let NodeKey::Route(route) = self.nodes[index].key {
                self.trends[index] = trends.get(&route).map(NodeTrend::from).unwrap_or_default();
            }
            if let Some(parent) = self.nodes[index].parent {
                let trend = self.trends[index];
                self.trends[parent].add(&trend);
            }
        }
    }

    /// Orders siblings, largest first; by path as they came.
    pub(crate) fn sort(&mut self, sort: Sort) {
        let keys = self.keys(sort);
        let order = |a: &usize, b: &usize| compare(&keys, *a, *b);
        self.roots.sort_by(order);
        for node in &mut self.nodes {
            node.children.sort_by(order);
        }
    }

    /// Whether siblings are in that order already.
    pub(crate) fn is_sorted(&self, sort: Sort) -> bool {
        let keys = self.keys(sort);
        let mut families = self.nodes.iter().map(|node| &node.children).chain([&self.roots]);
        families.all(|family| family.is_sorted_by(|a, b| compare(&keys, *a, *b).is_le()))
    }

    /// By what nodes are ordered: the fixed answers come last, then the heaviest first.
    fn keys(&self, sort: Sort) -> Vec<(bool, f64)> {
        let weight = |node: usize| match sort {
            Sort::Path => 0.0,
            Sort::Hits => self.readings[node].hits as f64,
            Sort::HitRate => self.readings[node].hits_per_s.unwrap_or(0.0),
            Sort::ByteRate => self.readings[node].bytes_per_s.unwrap_or(0.0),
            Sort::Size => self.sizes[node] as f64,
        };
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(index, node)| (node.key == NodeKey::FixedAnswers, weight(index))).collect()
    }

    /// What the widget draws, each item named by its node: all of the tree or, with a filter, the
    /// routes whose path contains it and the folders on the way to them.
    pub(crate) fn items(&self, filter: &str) -> Vec<TreeItem<'static, usize>> {
        let matching = (!filter.is_empty()).then(|| self.matching(&filter.to_lowercase()));
        self.branch(&self.roots, matching.as_deref())
    }

    fn branch(&self, nodes: &[usize], matching: Option<&[bool]>) -> Vec<TreeItem<'static, usize>> {
        let left = nodes.iter().filter(|node| matching.is_none_or(|matching| matching[**node]));
        left.map(|&index| {
            let node = &self.nodes[index];
            // A line, because text could have several.
            let name = Line::styled(node.label.clone(), node.style());
            TreeItem::new(index, name, self.branch(&node.children, matching))
                .expect("a node is a child once")
        })
        .collect()
    }

    fn matching(&self, filter: &str) -> Vec<bool> {
        let mut matching = vec![false; self.nodes.len()];
        for index in (0..self.nodes.len()).rev() {
            matching[index] |=
                self.nodes[index].route.is_some() && self.haystacks[index].contains(filter);
            if let Some(parent) = self.nodes[index].parent {
                matching[parent] |= matching[index];
            }
        }
        matching
    }

    /// One of its nodes.
    pub(crate) fn at(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// What a node shows.
    pub(crate) fn reading(&self, node: usize) -> &RouteReading {
        &self.readings[node]
    }

    /// How often a node was asked for over longer times.
    pub(crate) fn trend(&self, node: usize) -> NodeTrend {
        self.trends.get(node).copied().unwrap_or_default()
    }

    /// Bytes of the bodies in a node.
    pub(crate) fn size_bytes(&self, node: usize) -> u64 {
        self.sizes[node]
    }

    /// The folder that a node is in.
    pub(crate) fn parent(&self, node: usize) -> Option<&NodeKey> {
        self.nodes[node].parent.map(|parent| &self.nodes[parent].key)
    }

    /// The node with that key.
    pub(crate) fn find(&self, key: &NodeKey) -> Option<usize> {
        self.nodes.iter().position(|node| node.key == *key)
    }

    /// The nodes on the way to a node, and itself: so the widget names it.
    pub(crate) fn trail(&self, node: usize) -> Vec<usize> {
        let mut trail: Vec<_> = successors(Some(node), |at| self.nodes[*at].parent).collect();
        trail.reverse();
        trail
    }

    /// All folders.
    pub(crate) fn folders(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_folder())
    }
}

/// Equals keep the order of their paths, which is that in which nodes were made.
fn compare(keys: &[(bool, f64)], a: usize, b: usize) -> std::cmp::Ordering {
    let ((a_fixed, a_weight), (b_fixed, b_weight)) = (keys[a], keys[b]);
    a_fixed.cmp(&b_fixed).then(b_weight.total_cmp(&a_weight)).then(a.cmp(&b))
}

/// A fixed answer by its status and reason phrase.
pub(crate) fn fixed_label(answer: FixedRoute) -> String {
    match answer.status() {
        0 => fixed_name(answer).to_owned(),
        status => format!("{status} {}", fixed_name(answer)),
    }
}

/// The reason phrase of a fixed answer (RFC 9110 section 15).
pub(crate) fn fixed_name(answer: FixedRoute) -> &'static str {
    match answer {
        FixedRoute::BadRequest => "Bad Request",
        FixedRoute::NotFound => "Not Found",
        FixedRoute::MethodNotAllowed => "Method Not Allowed",
        FixedRoute::UriTooLong => "URI Too Long",
        FixedRoute::HeaderFieldsTooLarge => "Request Header Fields Too Large",
        FixedRoute::VersionNotSupported => "HTTP Version Not Supported",
        FixedRoute::RequestTimeout => "Request Timeout",
        FixedRoute::PreconditionFailed => "Precondition Failed",
        FixedRoute::Options => "OPTIONS",
        FixedRoute::Tls => "TLS alert",
        FixedRoute::Http2 => "HTTP/2 GOAWAY",
        FixedRoute::Unavailable => "Service Unavailable",
    }
}
