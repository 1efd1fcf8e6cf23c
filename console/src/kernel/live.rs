//! A running server, opened from its pins.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use zeroserve_shared::{
    config::{ABI, Config, DRAINING},
    map::LINK,
    route::FixedRoute,
};

use super::{
    absence::OpenError,
    addresses,
    attach::{self, AttachError, AttachOptions},
    capabilities::{self, NotPermitted},
    clock, detail,
    identity::{identify, surroundings},
    ledger::Ledger,
    maps::{Maps, Raw},
    observe,
    pen::Pen,
    pins::{self, Lock},
    publish::{Published, Publisher},
    sample::View,
    sys::{Link, LinkState, Program},
};
use crate::{
    content::{RenderError, Rendered, RoutePath},
    net::listeners::Listener,
    observe::{Seen, Wanted},
    promote::{Miss, Origin},
    server::{
        Change, ChangeError, Flows, Holder, Identity, RouteInfo, RouteName, Sample, Server,
        Surroundings,
    },
};

/// How often versions that transfers in flight still need are looked at again.
const RECLAIM_EVERY: Duration = Duration::from_secs(5);
/// How long what is published with other things waits for them. The kernel takes some 20 ms for each
/// batch, which it spends waiting.
const STAGED_FOR: Duration = Duration::from_millis(200);

/// A running server. Dropping it leaves the server running.
pub struct Live {
    pub(super) folder: PathBuf,
    pub(super) identity: Identity,
    pub(super) config: Config,
    pub(super) maps: Maps,
    pub(super) link: Link,
    pub(super) view: View,
    observer: observe::Reader,
    /// What is in use, as of when this process last held the lock.
    pub(super) ledger: Option<Ledger>,
    reclaimed: Duration,
    /// The right to change the server from a console, where somebody wants it.
    pub(super) pen: Option<Pen>,
    /// While it is open, the kernel measures how long programs run.
    pub(super) measuring: Option<OwnedFd>,
    /// Who was found last to listen behind the server.
    pub(super) behind: Option<Listener>,
    /// The program that was looked at last, with its id.
    pub(super) program: Option<(u32, Program)>,
}

impl Live {
    /// Checks an interface, loads the programs and puts them on it. The server has its fixed
    /// answers then and no routes with a path.
    ///
    /// # Errors
    ///
    /// See [`AttachError`]. Nothing is left behind then.
    pub fn attach(options: &AttachOptions) -> Result<Self, AttachError> {
        attach::attach(options)
    }

    /// Opens the server that runs on an interface, whoever attached it.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(interface: &str) -> Result<Self, OpenError> {
        capabilities::check()?;
        let folder = pins::folder(interface);
        let not_attached = || OpenError::NotAttached {
            interface: interface.to_owned(),
            served: pins::served_interfaces().unwrap_or_default(),
        };
        let link = match Link::open(&folder.join(LINK)) {
            Ok(link) => link,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody may be attaching it just now, and holds the lock until it is done.
                if Lock::acquire(&folder).map_err(|error| refused(&folder, error))?.is_none() {
                    return Err(not_attached());
                }
                match Link::open(&folder.join(LINK)) {
                    Ok(link) => link,
                    Err(_) => return Err(OpenError::Stale(interface.to_owned())),
                }
            }
            Err(error) => return Err(refused(&folder, error)),
        };
        let LinkState { program_id, if_index } = link.state().context("cannot read the link")?;
        let Some(if_index) = if_index else {
            return Err(OpenError::Stale(interface.to_owned()));
        };
        let mut maps = Maps::open(&folder)?;
        let mut config = maps.config()?;
        if config.abi != ABI {
            return Err(OpenError::OtherAbi { interface: interface.to_owned(), found: config.abi });
        }
        if config.is_draining()
            && let Some(_lock) = Lock::try_acquire(&folder)
        {
            // Whoever began to stop it holds the lock, and would still do so.
            config.flags &= !DRAINING;
            maps.config.set(0, Raw(config), 0).context("cannot write the map CONFIG")?;
        }
        let around = surroundings(interface, program_id);
        if let Some((own, all)) = &around {
            addresses::write(&mut maps.addresses, &addresses::locals(all, own.index))?;
            config.mtu = own.mtu_u16();
            maps.config.set(0, Raw(config), 0).context("cannot write the map CONFIG")?;
        }
        let own = around.map(|(own, _)| own);
        let mut live = Self {
            identity: identify(interface, if_index, program_id, own, &config, &maps)?,
            folder,
            config,
            maps,
            link,
            view: View::default(),
            observer: observe::Reader::default(),
            ledger: None,
            reclaimed: clock::monotonic(),
            pen: None,
            measuring: None,
            behind: None,
            program: None,
        };
        live.refresh_clock()?;
        Ok(live)
    }

    /// Takes the pen for a console of that user, now or as soon as it is free; tells who else has
    /// it. It is given back when this is dropped.
    pub fn take_pen(&mut self, user: &str) -> Option<Holder> {
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        self.pen.insert(Pen::wanted(&name, user)).take()
    }

    /// Puts many files behind their paths, replacing what is there. Files that cannot be rendered
    /// are left out and reported. `progress` is told after each file.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`]. Files published before the error stay published.
    pub fn publish(
        &mut self,
        files: impl IntoIterator<Item = (RoutePath, Result<Rendered, RenderError>)>,
        mut progress: impl FnMut(&RoutePath),
    ) -> Result<Published, ChangeError> {
        self.change(|publisher| {
            let mut published = Published::default();
            let mut committed: Option<Instant> = None;
            for (path, rendered) in files {
                progress(&path);
                match rendered {
                    Ok(rendered) => {
                        published.response_bytes += rendered.stored_bytes() as u64;
                        let replaces = publisher.find(&path).is_some();
                        let name = RouteName::Path(path);
                        if publisher.serves(&name, &rendered)? {
                            published.unchanged += 1;
                            continue;
                        }
                        publisher.put(&name, &rendered)?;
                        // The first is served at once. Compressing takes longer than anything else.
                        if committed.is_none_or(|last| last.elapsed() > STAGED_FOR) {
                            publisher.commit()?;
                            committed = Some(Instant::now());
                        }
                        *(if replaces { &mut published.replaced } else { &mut published.added }) +=
                            1;
                    }
                    Err(error) => published.failed.push((path, error)),
                }
            }
            Ok(published)
        })
    }

    /// Answers so what is no hit, if it is not answered so already.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`].
    pub fn answer(&mut self, route: FixedRoute, rendered: &Rendered) -> Result<(), ChangeError> {
        let name = RouteName::Fixed(route);
        self.change(|publisher| match publisher.serves(&name, rendered)? {
            true => Ok(()),
            false => publisher.put(&name, rendered),
        })
    }

    /// Holds the lock while `change` runs, makes what it has staged, frees what nobody needs.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Publisher<'_>) -> Result<T, ChangeError>,
    ) -> Result<T, ChangeError> {
        self.check_attached()?;
        let lock = Lock::acquire(&self.folder).context("cannot lock the server's folder")?;
        let Some(_lock) = lock else {
            return Err(ChangeError::Kernel(self.stopped()));
        };
        let revision = self.maps.revision.get(&0, 0).context("cannot read the revision")?;
        // Forgotten unless all goes well: after an error only the maps know what has been done.
        let mut ledger = match self.ledger.take() {
            Some(ledger) if ledger.revision == revision => ledger,
            _ => Ledger::read(&mut self.maps)?,
        };
        let mut publisher = Publisher::new(&mut self.maps, &mut ledger, self.config.path_key);
        let result = change(&mut publisher)?;
        publisher.commit()?;
        publisher.reclaim()?;
        self.ledger = Some(ledger);
        self.reclaimed = clock::monotonic();
        Ok(result)
    }

    /// Frees, now and then, what transfers in flight still needed when it was replaced.
    fn reclaim_later(&mut self) -> anyhow::Result<()> {
        let now = clock::monotonic();
        let waiting = self.ledger.as_ref().is_some_and(|ledger| !ledger.retired.is_empty());
        if !waiting || now.saturating_sub(self.reclaimed) < RECLAIM_EVERY {
            return Ok(());
        }
        self.reclaimed = now;
        let Some(_lock) = Lock::try_acquire(&self.folder) else {
            return Ok(());
        };
        let revision = self.maps.revision.get(&0, 0).context("cannot read the revision")?;
        match self.ledger.take() {
            Some(mut ledger) if ledger.revision == revision => {
                Publisher::new(&mut self.maps, &mut ledger, self.config.path_key).reclaim()?;
                self.ledger = Some(ledger);
            }
            // Whoever has changed something since then has freed them.
            _ => {}
        }
        Ok(())
    }

    /// Tells the programs the distance between the kernel's clocks, if it is not what they know.
    fn refresh_clock(&mut self) -> anyhow::Result<()> {
        let tai_minus_utc_s = clock::tai_minus_utc_s();
        if tai_minus_utc_s == self.config.tai_minus_utc_s {
            return Ok(());
        }
        // Under the lock and from what is there now, because publishing writes there too.
        if let Some(_lock) = Lock::try_acquire(&self.folder) {
            self.config = Config { tai_minus_utc_s, ..self.maps.config()? };
            self.maps.config.set(0, Raw(self.config), 0).context("cannot write the map CONFIG")?;
        }
        Ok(())
    }

    fn check_attached(&self) -> anyhow::Result<()> {
        match self.link.state().context("cannot read the link")?.if_index {
            Some(_) => Ok(()),
            None => bail!(self.stopped()),
        }
    }

    fn stopped(&self) -> anyhow::Error {
        let interface = &self.identity.interface;
        anyhow::anyhow!("the server on {interface} was stopped, or the interface is gone")
    }
}

impl Server for Live {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        self.check_attached()?;
        self.refresh_clock()?;
        self.reclaim_later()?;
        self.view.sample(&self.maps)
    }

    fn routes(&mut self) -> anyhow::Result<Arc<[RouteInfo]>> {
        self.check_attached()?;
        self.view.routes(&self.maps)
    }

    fn observe(&mut self, wanted: &Wanted) -> anyhow::Result<Seen> {
        self.check_attached()?;
        let routes = self.view.routes(&self.maps)?;
        self.observer.read(&mut self.maps, &routes, wanted)
    }

    fn surroundings(&mut self) -> anyhow::Result<Surroundings> {
        self.check_attached()?;
        self.look_around()
    }

    fn measure(&mut self, wanted: bool) -> anyhow::Result<()> {
        self.measure_run_time(wanted)
    }

    fn flows(&mut self, limit: usize) -> anyhow::Result<Flows> {
        self.check_attached()?;
        self.read_flows(limit)
    }

    fn response(&mut self, route: &RouteName) -> anyhow::Result<Vec<u8>> {
        self.check_attached()?;
        self.view.response(&self.maps, route)
    }

    fn rendered(&mut self, route: &RouteName) -> anyhow::Result<Rendered> {
        self.check_attached()?;
        self.view.rendered(&self.maps, route)
    }

    fn misses(&mut self) -> anyhow::Result<Vec<Miss>> {
        self.check_attached()?;
        self.read_misses()
    }

    fn origin(&mut self) -> anyhow::Result<Box<dyn Origin>> {
        self.check_attached()?;
        Ok(Box::new(self.local_server()?))
    }

    fn apply(&mut self, change: Change) -> Result<(), ChangeError> {
        self.change(|publisher| match change {
            Change::Add(path, rendered) => {
                if let Some(version) = publisher.find(&path) {
                    let detail = publisher.detail(version)?;
                    return Err(ChangeError::PathTaken {
                        path,
                        bytes: detail.body_bytes,
                        file: detail::source(&detail),
                    });
                }
                publisher.put(&RouteName::Path(path), &rendered)
            }
            Change::Replace(path, rendered) => {
                if publisher.find(&path).is_none() {
                    return Err(ChangeError::NoSuchRoute(path));
                }
                publisher.put(&RouteName::Path(path), &rendered)
            }
            Change::Remove(path) => publisher.remove(&path),
        })
    }
}

fn refused(folder: &Path, error: io::Error) -> OpenError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return NotPermitted { missing: Vec::new() }.into();
    }
    anyhow::Error::new(error).context(format!("cannot open {}", folder.display())).into()
}
