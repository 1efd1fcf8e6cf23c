//! The servers, each in a network of its own, with the same site.

use std::sync::Arc;

use anyhow::{Context, Result};
use zeroserve_shared::config::OnMiss;
use zeroserve_tui::{
    content::{Redirect, Rendered, Reply, ResponseOptions, RoutePath, Site as Scanned},
    demo::{PrivateServer, client::Connection},
    kernel::{AttachOptions, Live, MissChoice, PassThrough},
    load::threads::Thread,
    net::PrivateNetwork,
    server::{Change, Server as _},
};

use super::{
    others::{self, Process},
    site::{COLD, HEALTH, HEALTH_BODY, REDIRECT, REDIRECT_TO, SMALL, Site},
};
use crate::{Nginx, has_program, nginx, sysctl};

/// Connections that Zeroserve is to have room for: twice as many as are ever open.
const MOST_FLOWS: u32 = 1 << 18;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// This one.
    Zeroserve,
    /// nginx, with tests/nginx.conf and one worker, behind Zeroserve, which serves one path.
    Behind,
    /// nginx, with tests/nginx.conf and one worker.
    Nginx,
    /// h2o, with tests/h2o.conf and one thread.
    H2o,
    /// varnish, with tests/varnish.vcl and one pool of threads, in front of an nginx.
    Varnish,
}

impl Name {
    /// As it is printed.
    pub fn text(self) -> &'static str {
        match self {
            Self::Zeroserve => "zeroserve",
            Self::Behind => "behind",
            Self::Nginx => "nginx",
            Self::H2o => "h2o",
            Self::Varnish => "varnish",
        }
    }

    /// The Debian package that is missing, if one is.
    pub fn missing(self) -> Option<&'static str> {
        let (program, package) = match self {
            Self::Zeroserve => return None,
            Self::Behind | Self::Nginx => ("nginx", "nginx-light"),
            Self::H2o => ("h2o", "h2o"),
            Self::Varnish => ("varnishd", "varnish"),
        };
        (!has_program(program)).then_some(package)
    }

    /// Whether its connections are files of a process, of which it may not have any number.
    pub fn has_descriptors(self) -> bool {
        self != Self::Zeroserve
    }
}

/// A running server.
pub struct Server {
    /// Which it is.
    pub name: Name,
    /// Where it listens.
    pub port: u16,
    /// Its processes, whose CPU time counts beside that of its interface.
    pub threads: Vec<Thread>,
    /// The entity tag that it gives [`SMALL`]: asked for before a load has taken the network.
    pub entity_tag: String,
    // Fields are dropped in this order.
    kind: Kind,
}

enum Kind {
    Zeroserve { _live: Box<Live>, server: PrivateServer },
    Behind { _nginx: Nginx, _live: Box<Live>, server: PrivateServer },
    Nginx { _nginx: Nginx, _program: PassThrough, network: PrivateNetwork },
    Process { _process: Process, _program: PassThrough, network: PrivateNetwork },
}

impl Server {
    /// Starts one, whose processes run on one CPU.
    ///
    /// # Errors
    ///
    /// Where it does not start.
    pub fn start(name: Name, site: &Site, cpu: usize) -> Result<Self> {
        let mut server = match name {
            Name::Zeroserve => Self::zeroserve(site),
            Name::Behind => Self::behind(site, cpu),
            Name::Nginx => Self::nginx(site, cpu),
            Name::H2o | Name::Varnish => Self::process(name, site, cpu),
        }?;
        // A round opens as many connections as the client has ports, so the next would find half of
        // them in TIME-WAIT.
        sysctl::set(&server.network().server, "net/ipv4/tcp_max_tw_buckets", "0")?;
        Ok(server)
    }

    fn zeroserve(site: &Site) -> Result<Self> {
        let more = |options: &mut AttachOptions| options.max_flows = MOST_FLOWS;
        let (mut live, server) = PrivateServer::start_with("cmp", more)?;
        let published = live.publish(Scanned::scan(&site.root())?.render(), |_| {})?;
        anyhow::ensure!(published.failed.is_empty(), "not published: {:?}", published.failed);
        let options = ResponseOptions::default();
        let redirect = Rendered::redirect(&Redirect::new(REDIRECT_TO, 301)?, &options)?;
        let reply = Reply::new(200, Reply::DEFAULT_CONTENT_TYPE, HEALTH_BODY.into())?;
        let reply = Rendered::reply(&reply, &options)?;
        for (path, rendered) in [(REDIRECT, redirect), (HEALTH, reply)] {
            live.apply(Change::Add(path.parse::<RoutePath>()?, Arc::new(rendered)))?;
        }
        let entity_tag = entity_tag(&server.network, AttachOptions::DEFAULT_PORT, SMALL)?;
        let kind = Kind::Zeroserve { _live: Box::new(live), server };
        let port = AttachOptions::DEFAULT_PORT;
        Ok(Self { name: Name::Zeroserve, port, threads: Vec::new(), entity_tag, kind })
    }

    fn nginx(site: &Site, cpu: usize) -> Result<Self> {
        let (network, program) = network()?;
        let server = &network.server;
        let nginx = Nginx::start_workers("1", server, &site.beside("nginx"), &site.root())?;
        let threads = pinned(&nginx, cpu)?;
        let entity_tag = entity_tag(&network, nginx::PORT, SMALL)?;
        let kind = Kind::Nginx { _nginx: nginx, _program: program, network };
        Ok(Self { name: Name::Nginx, port: nginx::PORT, threads, entity_tag, kind })
    }

    fn process(name: Name, site: &Site, cpu: usize) -> Result<Self> {
        let (network, program) = network()?;
        let process = match name {
            Name::H2o => Process::h2o(&network, site, cpu)?,
            _ => Process::varnish(&network, site, cpu)?,
        };
        let entity_tag = entity_tag(&network, others::PORT, SMALL)?;
        let threads = process.threads()?;
        let kind = Kind::Process { _process: process, _program: program, network };
        Ok(Self { name, port: others::PORT, threads, entity_tag, kind })
    }

    fn behind(site: &Site, cpu: usize) -> Result<Self> {
        let in_front = |options: &mut AttachOptions| {
            options.max_flows = MOST_FLOWS;
            options.port = nginx::PORT;
            options.on_miss = MissChoice::Always(OnMiss::HandOff);
        };
        let (mut live, server) = PrivateServer::start_with("cmp", in_front)?;
        let rendered = Rendered::ok("application/octet-stream".into(), &site.body(SMALL)?, None);
        live.apply(Change::Add(SMALL.parse::<RoutePath>()?, Arc::new(rendered)))?;
        let own = &server.network.server;
        let nginx = Nginx::start_workers("1", own, &site.beside("nginx-behind"), &site.root())?;
        let threads = pinned(&nginx, cpu)?;
        let entity_tag = entity_tag(&server.network, nginx::PORT, COLD)?;
        let kind = Kind::Behind { _nginx: nginx, _live: Box::new(live), server };
        Ok(Self { name: Name::Behind, port: nginx::PORT, threads, entity_tag, kind })
    }

    /// Its network.
    pub fn network(&mut self) -> &mut PrivateNetwork {
        match &mut self.kind {
            Kind::Zeroserve { server, .. } | Kind::Behind { server, .. } => &mut server.network,
            Kind::Nginx { network, .. } | Kind::Process { network, .. } => network,
        }
    }
}

/// A network for a server without an XDP program, which gets one that passes everything: frames that
/// a program sends arrive only where NAPI runs.
fn network() -> Result<(PrivateNetwork, PassThrough)> {
    let network = PrivateNetwork::create("cmp")?;
    let index = network.veth.server_index;
    let program = network.server.run(|| PassThrough::attach(index))??;
    Ok((network, program))
}

/// The workers of an nginx, which run on one CPU from now on.
fn pinned(nginx: &Nginx, cpu: usize) -> Result<Vec<Thread>> {
    let threads: Vec<Thread> = nginx.workers()?.into_iter().map(Thread::of).collect();
    for thread in &threads {
        thread.pin(cpu)?;
    }
    Ok(threads)
}

/// The entity tag that a server gives a path.
fn entity_tag(network: &PrivateNetwork, port: u16, path: &str) -> Result<String> {
    let address = network.server_at(port);
    let mut connection = network.client.run(|| Connection::open(address))??;
    let response = connection.get(path)?;
    let tag = response.header("ETag").context("there is no entity tag")?;
    Ok(String::from_utf8(tag.to_vec())?)
}
