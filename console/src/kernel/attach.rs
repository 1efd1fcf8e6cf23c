//! Checks an interface, loads the programs and puts them on it.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::SystemTime,
};

use anyhow::{Context, anyhow};
use aya::{
    Btf, Ebpf,
    maps::{Array, MapData, xdp::DevMap},
    programs::{ProgramError, Xdp, XdpMode, links::FdLink, loaded_programs},
};
use zeroserve_shared::{
    bypass::Bypass,
    config::{ABI, Address, Config, Local, OnMiss},
    flow::WAYS,
    map::{
        DEFAULT_FLOWS, DEFAULT_ROUTES, EGRESS_PROGRAM, FANOUTS, HANDOFF_PROGRAM, LINK, XDP_PROGRAM,
    },
    route::{FIRST_ROUTE, FixedRoute},
};

use super::{
    absence::OpenError,
    addresses,
    capabilities::{self, NotPermitted},
    clock,
    handoff::{self, MissChoice, Missing},
    ledger::Ledger,
    live::Live,
    maps::{Maps, REVISION, Raw},
    object::{self, Sizes},
    pins::{self, NewFolder, NewFolderError},
    publish::Publisher,
    sys::Link,
};
use crate::{
    content::Rendered,
    net::interfaces::{self, Interface},
    server::RouteName,
};

/// How a server is to be attached.
#[derive(Clone, Debug)]
pub struct AttachOptions {
    /// Name of the interface.
    pub interface: String,
    /// TCP port to answer.
    pub port: u16,
    /// How many routes with a path the maps shall hold.
    pub max_routes: u32,
    /// How many connections the maps shall hold.
    pub max_flows: u32,
    /// What becomes of requests that are not served here.
    pub on_miss: MissChoice,
}

impl AttachOptions {
    /// How many routes with a path there can be by default.
    pub const DEFAULT_ROUTES: u32 = DEFAULT_ROUTES - FIRST_ROUTE;
    /// How many connections there can be by default.
    pub const DEFAULT_FLOWS: u32 = DEFAULT_FLOWS;
    /// The port answered by default.
    pub const DEFAULT_PORT: u16 = 80;

    /// The defaults, for an interface.
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            port: Self::DEFAULT_PORT,
            max_routes: Self::DEFAULT_ROUTES,
            max_flows: Self::DEFAULT_FLOWS,
            on_miss: MissChoice::Auto,
        }
    }
}

/// Why a server could not be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is no such interface in this network namespace.
    #[error("there is no interface {interface}; there are: {}", known.join(", "))]
    NoSuchInterface {
        /// The name asked for.
        interface: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// This process may not.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// It is attached already.
    #[error("zeroserve already serves on {0}; `zeroserve-tui {0}` opens its console")]
    AlreadyServing(String),
    /// Another interface of that name, in another network namespace, is being served.
    #[error(
        "an interface called {0} in another network namespace is being served; stop that server \
         first, or rename one of the two"
    )]
    NameTaken(String),
    /// A server that has died left its pins.
    #[error(
        "a server on {0} that no longer runs has left something behind; `zeroserve-tui stop {0}` \
         clears it away"
    )]
    StalePins(String),
    /// A zeroserve is on the interface, and its pins cannot be seen from here.
    #[error(
        "zeroserve is attached to {0}, but not by way of the BPF filesystem that this command \
         sees; {hint}",
        hint = pins::OUT_OF_SIGHT
    )]
    OutOfSight(String),
    /// Somebody else's XDP program is on the interface.
    #[error(
        "{interface} has another XDP program ({name}, id {program_id}, {mode} mode), which \
         zeroserve leaves alone; take it off with the tool that attached it, or with \
         `ip link set dev {interface} xdp off`"
    )]
    ForeignProgram {
        /// The interface.
        interface: String,
        /// Kernel id of the program.
        program_id: u32,
        /// Its name.
        name: String,
        /// Where it runs.
        mode: &'static str,
    },
    /// The driver cannot run XDP programs.
    #[error(
        "{interface} cannot run XDP programs in its driver{}, and generic mode cannot carry the \
         bursts that answers are sent in, so zeroserve does not use it; choose an interface whose \
         driver supports native XDP",
        driver.as_ref().map(|driver| format!(" ({driver})")).unwrap_or_default()
    )]
    NoNativeMode {
        /// The interface.
        interface: String,
        /// Its driver, where it can be known.
        driver: Option<String>,
    },
    /// The driver refuses XDP because packets may be too large.
    #[error(
        "packets that come in at {interface} may be too large for XDP; lower the MTU to 1500 at \
         both ends (it is {mtu_bytes} here; of a veth pair the other end's counts), for instance \
         with `ip link set dev {interface} mtu 1500`"
    )]
    MtuTooLarge {
        /// The interface.
        interface: String,
        /// Its MTU.
        mtu_bytes: u32,
    },
    /// There is nothing to answer for.
    #[error(
        "neither {0} nor a VLAN on it has an address to answer for; give it one, for instance with \
         `ip address add 192.0.2.1/24 dev {0}`"
    )]
    NoAddress(String),
    /// Requests that are not served here cannot go to the server that listens.
    #[error(
        "{} listens on port {port}, and connections cannot be handed to it: {missing}; with \
         `--on-miss 404` zeroserve answers all requests to this port itself, and nobody else is \
         reached there",
        listener.as_deref().unwrap_or("nobody")
    )]
    NoHandoff {
        /// The port.
        port: u16,
        /// Who listens there.
        listener: Option<String>,
        /// What is missing.
        missing: Missing,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] anyhow::Error),
}

/// Attaches a server: nothing, or a whole one.
pub(super) fn attach(options: &AttachOptions) -> Result<Live, AttachError> {
    let (interface, locals) = check(&options.interface)?;
    let addresses: Vec<IpAddr> = locals.iter().map(|local| ip_address(local.address)).collect();
    let function = handoff::decide(options.on_miss, options.port, &addresses, || {
        handoff::check(Btf::from_sys_fs().ok().as_ref())
    })?;
    let on_miss = if function.is_some() { OnMiss::HandOff } else { OnMiss::Refuse };
    let folder = match NewFolder::create(&options.interface) {
        Ok(folder) => folder,
        Err(NewFolderError::Exists) => return Err(why_taken(&options.interface)),
        Err(NewFolderError::NotPermitted) => {
            return Err(NotPermitted { missing: Vec::new() }.into());
        }
        Err(NewFolderError::Other(error)) => return Err(error.into()),
    };
    let routes = options.max_routes.saturating_add(FIRST_ROUTE);
    let mut ebpf = object::load(Sizes { routes, flow_sets: flow_sets(options) }, function)?;
    pin_maps(&ebpf, &folder)?;
    let programs = [XDP_PROGRAM, EGRESS_PROGRAM, HANDOFF_PROGRAM];
    let programs = if on_miss == OnMiss::HandOff { &programs[..] } else { &programs[..2] };
    let ledger = object::load_programs(&mut ebpf, programs, || {
        fill_maps(options, on_miss, &interface, &locals, &folder)
    })?;
    aim_fanouts(&mut ebpf, interface.index)?;
    if on_miss == OnMiss::HandOff {
        handoff::attach(&mut ebpf, &interface.name, folder.path())?;
    }
    attach_program(&mut ebpf, &interface, &folder)?;
    let mut live = Live::open(&options.interface).map_err(|error| match error {
        OpenError::Kernel(error) => AttachError::Kernel(error),
        other => AttachError::Kernel(anyhow!(other).context("cannot open what was attached")),
    })?;
    live.ledger = Some(ledger);
    folder.keep();
    Ok(live)
}

/// Everything that can be known before anything is changed.
fn check(name: &str) -> Result<(Interface, Vec<Local>), AttachError> {
    let mut all = interfaces::list()?;
    let Some(position) = all.iter().position(|interface| interface.name == name) else {
        let known = all.into_iter().map(|interface| interface.name).collect();
        return Err(AttachError::NoSuchInterface { interface: name.to_owned(), known });
    };
    let locals = addresses::locals(&all, all[position].index);
    let interface = all.swap_remove(position);
    capabilities::check()?;
    if let Some(xdp) = interface.xdp {
        let pinned = Link::open(&pins::folder(name).join(LINK)).and_then(|link| link.state());
        if pinned.is_ok_and(|pinned| pinned.program_id == xdp.program_id) {
            return Err(AttachError::AlreadyServing(name.to_owned()));
        }
        let program = program_name(xdp.program_id);
        if program == XDP_PROGRAM {
            return Err(AttachError::OutOfSight(name.to_owned()));
        }
        return Err(AttachError::ForeignProgram {
            interface: name.to_owned(),
            program_id: xdp.program_id,
            name: program,
            mode: xdp.mode.name(),
        });
    }
    if locals.is_empty() {
        return Err(AttachError::NoAddress(name.to_owned()));
    }
    Ok((interface, locals))
}

/// An address as the programs know it.
fn ip_address(address: Address) -> IpAddr {
    Ipv6Addr::from(address).to_canonical()
}

fn program_name(id: u32) -> String {
    let programs = loaded_programs().filter_map(Result::ok);
    let name = programs
        .filter(|program| program.id() == id)
        .find_map(|program| program.name_as_str().map(str::to_owned));
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "without a name".into())
}

/// Why there is a folder for an interface that carries no program of ours.
fn why_taken(interface: &str) -> AttachError {
    match Live::open(interface) {
        Ok(_) => AttachError::NameTaken(interface.to_owned()),
        _ => AttachError::StalePins(interface.to_owned()),
    }
}

fn pin_maps(ebpf: &Ebpf, folder: &NewFolder) -> anyhow::Result<()> {
    // Names with dots are the compiler's sections, which the programs keep alive themselves.
    for (name, map) in ebpf.maps().filter(|(name, _)| !name.contains('.')) {
        map.pin(folder.path().join(name)).with_context(|| format!("cannot pin the map {name}"))?;
    }
    Array::<MapData, u64>::create(1, 0)
        .map_err(anyhow::Error::from)
        .and_then(|revision| Ok(revision.pin(folder.path().join(REVISION))?))
        .context("cannot pin the revision")
}

/// Writes everything the programs read before the first packet comes. Returns what is in use then.
fn fill_maps(
    options: &AttachOptions,
    on_miss: OnMiss,
    interface: &Interface,
    locals: &[Local],
    folder: &NewFolder,
) -> anyhow::Result<Ledger> {
    let mut maps = Maps::open(folder.path())?;
    let config = Config {
        cookie_key: random_key()?,
        path_key: random_key()?,
        flow_key: random_key()?,
        attached_unix_s: clock::unix_s(SystemTime::now()),
        tai_minus_utc_s: clock::tai_minus_utc_s(),
        abi: ABI,
        if_index: interface.index,
        max_routes: options.max_routes.saturating_add(FIRST_ROUTE),
        port: options.port,
        mtu: interface.mtu_u16(),
        flags: 0,
        on_miss: on_miss as u32,
        bypass: Bypass::default(),
        clock_start_ms: random_key::<1>()?[0] as u32,
        flow_sets: flow_sets(options),
    };
    maps.config.set(0, Raw(config), 0).context("cannot write the map CONFIG")?;
    addresses::write(&mut maps.addresses, locals)?;
    let mut ledger = Ledger::read(&mut maps)?;
    let mut publisher = Publisher::new(&mut maps, &mut ledger, config.path_key);
    for route in FixedRoute::ALL {
        publisher.put(&RouteName::Fixed(*route), &Rendered::fixed(*route))?;
    }
    publisher.commit()?;
    Ok(ledger)
}

fn random_key<const WORDS: usize>() -> anyhow::Result<[u64; WORDS]> {
    let mut key = [0; WORDS];
    for word in &mut key {
        *word = getrandom::u64().map_err(|error| anyhow!("no random numbers: {error}"))?;
    }
    Ok(key)
}

/// In how many sets the flows are kept.
fn flow_sets(options: &AttachOptions) -> u32 {
    options.max_flows.div_ceil(WAYS as u32).max(1)
}

/// Points every slot of every fan-out at the interface itself, with the egress program before it.
fn aim_fanouts(ebpf: &mut Ebpf, if_index: u32) -> anyhow::Result<()> {
    let egress: &mut Xdp = object::program(ebpf, EGRESS_PROGRAM)?.try_into()?;
    let egress = egress.fd().context("the egress program is not loaded")?.try_clone()?;
    for (name, slots) in FANOUTS {
        let map = ebpf.map_mut(name).with_context(|| format!("the object has no map {name}"))?;
        let mut map = DevMap::try_from(map)?;
        for slot in 0..slots {
            map.set(slot, if_index, Some(&egress), 0)
                .with_context(|| format!("cannot put the interface into the map {name}"))?;
        }
    }
    Ok(())
}

fn attach_program(
    ebpf: &mut Ebpf,
    interface: &Interface,
    folder: &NewFolder,
) -> Result<(), AttachError> {
    let program = object::program(ebpf, XDP_PROGRAM)?;
    let program: &mut Xdp = program.try_into().map_err(anyhow::Error::from)?;
    let id = program
        .attach_to_if_index(interface.index, XdpMode::Driver)
        .map_err(|error| why_not_attached(interface, error))?;
    let link = program.take_link(id).context("the link is gone")?;
    // A link without a descriptor cannot be pinned; dropping it detaches the program.
    let link = FdLink::try_from(link).context("this kernel has no links for XDP programs")?;
    link.pin(folder.path().join(LINK)).context("cannot pin the link")?;
    Ok(())
}

fn why_not_attached(interface: &Interface, error: ProgramError) -> AttachError {
    let name = interface.name.clone();
    let errno = match &error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    };
    match errno {
        Some(libc::EOPNOTSUPP) => {
            AttachError::NoNativeMode { interface: name, driver: interface.driver.clone() }
        }
        _ if errno == Some(libc::ERANGE) || interface.mtu_bytes > LARGEST_MTU_BYTES => {
            AttachError::MtuTooLarge { interface: name, mtu_bytes: interface.mtu_bytes }
        }
        _ => anyhow!(error).context(format!("the kernel would not attach to {name}")).into(),
    }
}

/// The largest packet that fits one page with the room XDP needs around it, roughly: drivers differ
/// by some bytes. Beyond it a refusal without a better reason is put down to the MTU.
const LARGEST_MTU_BYTES: u32 = 3498;
