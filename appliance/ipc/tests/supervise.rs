//! The supervisor with real processes: this test program started again as a
//! daemon (see `as_a_daemon`).
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_ipc::supervise::{Ask, Child, Event, SuperviseError, Supervisor, Timing};
use chancery_ipc::{Command, Error, Limits, Links, Side, Tag, connection};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

const DOOR_TO_CORE: Tag = Tag::fixed("core.door");
const CORE_TO_DOOR: Tag = Tag::fixed("door.core");
const SOON: Duration = Duration::from_secs(30);

// === the daemons ===

/// No test of its own: what the supervisor starts.
#[test]
fn as_a_daemon() {
    let Ok(behaviour) = std::env::var("TEST_DAEMON") else {
        return;
    };
    let diary = PathBuf::from(std::env::var_os("TEST_DIARY").unwrap());
    if behaviour == "supervisor" {
        return as_a_supervisor(&diary);
    }
    if behaviour == "refuses" {
        std::process::exit(3);
    }
    // Everything that the supervisor gives is on standard input.
    let links = Links::from_process(Path::new("/nowhere")).unwrap();
    links.start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(daemon(&behaviour, &links, &diary));
    std::process::exit(0);
}

async fn daemon(behaviour: &str, links: &Links, diary: &Path) {
    let pid = std::process::id();
    let served: Tag = format!("{behaviour}.{}", other(behaviour)).parse().unwrap();
    let server = links.clone();
    tokio::spawn(async move {
        loop {
            let stream = server.accept(&served).await.unwrap();
            let (_caller, mut incoming) = connection(stream, Side::Server, Limits::default());
            tokio::spawn(async move {
                while let Some(asked) = incoming.next().await {
                    let _client_gone = asked.reply(&pid);
                }
            });
        }
    });
    // Writes down every new process that it reaches.
    let asked: Tag = format!("{}.{behaviour}", other(behaviour)).parse().unwrap();
    let client = links.client(asked, Limits::default());
    let name = behaviour.to_owned();
    let path = diary.to_path_buf();
    tokio::spawn(async move {
        let mut last = 0_u32;
        loop {
            match client.call::<str, u32>("who", SOON).await {
                Ok(now) if now != last => {
                    last = now;
                    write(&path, &format!("{name} {pid} reached {now}"));
                }
                Ok(_) => {}
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    if behaviour != "never-ready" {
        links.ready().unwrap();
    }
    if behaviour == "dies-young" {
        std::process::exit(9);
    }
    let mut commands = links.commands();
    loop {
        match commands.next().await {
            Command::Stop if behaviour == "stubborn" => std::future::pending::<()>().await,
            Command::Stop => return,
            Command::Reload => write(diary, &format!("{behaviour} reloaded")),
        }
    }
}

fn other(behaviour: &str) -> &str {
    match behaviour {
        "core" => "door",
        "door" => "core",
        _ => "nobody",
    }
}

fn write(diary: &Path, line: &str) {
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(diary)
        .unwrap();
    // One write, so that the lines of two processes do not mix.
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The supervisor in a process of its own, to be killed.
fn as_a_supervisor(diary: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let supervisor = Supervisor::new(node(diary)).unwrap();
    runtime
        .block_on(supervisor.run_with_signals(|event| {
            if let Event::Started { pid, .. } = event {
                write(diary, &format!("started {pid}"));
            }
            if event == Event::AllReady {
                write(diary, "all ready");
            }
        }))
        .unwrap();
    write(diary, "stopped in order");
    std::process::exit(0);
}

// === the test's end ===

fn child(name: &str, behaviour: &str, stage: u8, diary: &Path, asks: Vec<Ask>) -> Child {
    Child {
        name: name.into(),
        program: std::env::current_exe().unwrap(),
        args: ["as_a_daemon", "--exact", "--nocapture"]
            .map(Into::into)
            .to_vec(),
        env: vec![
            ("TEST_DAEMON".into(), behaviour.into()),
            ("TEST_DIARY".into(), diary.into()),
        ],
        stage,
        asks,
    }
}

/// A core and a door that ask each other.
fn node(diary: &Path) -> Vec<Child> {
    vec![
        child(
            "core",
            "core",
            0,
            diary,
            vec![Ask {
                server: "door".into(),
                tag: CORE_TO_DOOR,
            }],
        ),
        child(
            "door",
            "door",
            1,
            diary,
            vec![Ask {
                server: "core".into(),
                tag: DOOR_TO_CORE,
            }],
        ),
    ]
}

struct Running {
    folder: tempfile::TempDir,
    orders: mpsc::Sender<Command>,
    events: mpsc::UnboundedReceiver<Event>,
    result: tokio::task::JoinHandle<Result<(), SuperviseError>>,
    seen: Vec<Event>,
}

impl Running {
    fn start(timing: Timing, children: impl FnOnce(&Path) -> Vec<Child>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let children = children(&folder.path().join("diary"));
        let (send, events) = mpsc::unbounded_channel();
        let (orders, taken) = mpsc::channel(8);
        let supervisor = Supervisor::new(children).unwrap().timing(timing);
        let result = tokio::spawn(supervisor.run(taken, move |event| {
            let _test_over = send.send(event);
        }));
        Self {
            folder,
            orders,
            events,
            result,
            seen: Vec::new(),
        }
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(SOON, self.events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("no further event after {:?}", self.seen));
        let event = event.expect("the supervisor ended");
        self.seen.push(event.clone());
        event
    }

    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.event().await;
            if wanted(&event) {
                return event;
            }
        }
    }

    /// The pid of `name` at its next start.
    async fn started(&mut self, name: &str) -> u32 {
        let is_it = |event: &Event| matches!(event, Event::Started { name: n, .. } if n == name);
        match self.until(is_it).await {
            Event::Started { pid, .. } => pid,
            _ => panic!("not a start"),
        }
    }

    async fn diary_says(&self, wanted: &str) {
        says(&self.folder.path().join("diary"), wanted).await;
    }

    async fn stop(mut self) -> Vec<Event> {
        self.orders.send(Command::Stop).await.unwrap();
        let result = tokio::time::timeout(SOON, self.result)
            .await
            .unwrap()
            .unwrap();
        result.unwrap();
        while let Some(event) = self.events.recv().await {
            self.seen.push(event);
        }
        self.seen
    }
}

async fn says(diary: &Path, wanted: &str) {
    let found = async {
        while !std::fs::read_to_string(diary)
            .unwrap_or_default()
            .lines()
            .any(|l| l == wanted)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, found).await.unwrap_or_else(|_| {
        panic!(
            "not in the diary: {wanted}\n{}",
            std::fs::read_to_string(diary).unwrap()
        )
    });
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_node_starts_in_order_and_stops_in_order() {
    let mut node = Running::start(Timing::default(), node);
    let core = node.started("core").await;
    assert_eq!(
        node.event().await,
        Event::Ready {
            name: "core".into()
        }
    );
    let door = node.started("door").await;
    node.until(|event| *event == Event::AllReady).await;
    node.diary_says(&format!("door {door} reached {core}"))
        .await;
    node.diary_says(&format!("core {core} reached {door}"))
        .await;

    node.orders.send(Command::Reload).await.unwrap();
    node.diary_says("core reloaded").await;
    node.diary_says("door reloaded").await;

    let events = node.stop().await;
    let end: Vec<String> = events
        .iter()
        .skip_while(|event| **event != Event::Stopping)
        .map(|event| match event {
            Event::Stopped { name, status } => format!("{name} {}", status.success()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(end, ["Stopping", "door true", "core true"]);
}

#[tokio::test]
async fn who_is_killed_is_started_again_and_reached_again() {
    let timing = Timing {
        first_pause: Duration::from_millis(20),
        ..Timing::default()
    };
    let mut node = Running::start(timing, node);
    let mut core = node.started("core").await;
    let mut door = node.started("door").await;
    node.until(|event| *event == Event::AllReady).await;
    for round in 0..3 {
        node.diary_says(&format!("door {door} reached {core}"))
            .await;
        kill(core);
        let died = node
            .until(|event| matches!(event, Event::Died { .. }))
            .await;
        let Event::Died { name, status, .. } = died else {
            panic!("not a death")
        };
        assert_eq!(
            (name.as_str(), status.code()),
            ("core", None),
            "round {round}"
        );
        core = node.started("core").await;
        // The same door reaches the new core, and the new core the same door.
        node.diary_says(&format!("door {door} reached {core}"))
            .await;
        node.diary_says(&format!("core {core} reached {door}"))
            .await;

        kill(door);
        door = node.started("door").await;
        node.diary_says(&format!("core {core} reached {door}"))
            .await;
        node.diary_says(&format!("door {door} reached {core}"))
            .await;
    }
    // Both at once.
    kill(core);
    kill(door);
    let mut pids = Vec::new();
    while pids.len() < 2 {
        if let Event::Started { name, pid } = node.event().await {
            pids.push((name, pid));
        }
    }
    pids.sort();
    let (core, door) = (pids.first().unwrap().1, pids.last().unwrap().1);
    node.diary_says(&format!("door {door} reached {core}"))
        .await;
    node.diary_says(&format!("core {core} reached {door}"))
        .await;
    node.stop().await;
}

#[tokio::test]
async fn who_dies_again_and_again_waits_longer_each_time() {
    let timing = Timing {
        first_pause: Duration::from_millis(10),
        ..Timing::default()
    };
    let mut node = Running::start(timing, |diary| {
        vec![child("young", "dies-young", 0, diary, Vec::new())]
    });
    let mut pauses = Vec::new();
    while pauses.len() < 5 {
        if let Event::Restarting { after, .. } = node.event().await {
            pauses.push(after.as_millis());
        }
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160]);
    node.stop().await;
}

#[tokio::test]
async fn who_refuses_to_start_ends_the_start_of_all() {
    let mut node = Running::start(Timing::default(), |diary| {
        vec![
            child("core", "core", 0, diary, Vec::new()),
            child("door", "refuses", 1, diary, Vec::new()),
            child("late", "core", 2, diary, Vec::new()),
        ]
    });
    node.until(|event| matches!(event, Event::Stopped { name, .. } if name == "core"))
        .await;
    let result = tokio::time::timeout(SOON, node.result)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        result.unwrap_err().to_string(),
        "door did not start (exit status: 3): it says why above"
    );
    let late = |event: &Event| matches!(event, Event::Started { name, .. } if name == "late");
    assert!(!node.seen.iter().any(late));
}

#[tokio::test]
async fn a_program_that_is_not_there_ends_the_start() {
    let node = Running::start(Timing::default(), |diary| {
        vec![Child {
            program: "/nowhere/chancery-core".into(),
            ..child("core", "core", 0, diary, Vec::new())
        }]
    });
    let result = tokio::time::timeout(SOON, node.result)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(result, Err(SuperviseError::DidNotStart { name, .. }) if name == "core"));
}

#[tokio::test]
async fn who_does_not_stop_is_killed() {
    let timing = Timing {
        stop: Duration::from_millis(200),
        ..Timing::default()
    };
    let mut node = Running::start(timing, |diary| {
        vec![child("mule", "stubborn", 0, diary, Vec::new())]
    });
    node.until(|event| *event == Event::AllReady).await;
    let events = node.stop().await;
    assert!(events.contains(&Event::Killing {
        name: "mule".into()
    }));
}

#[tokio::test]
async fn a_second_stop_kills_at_once() {
    let mut node = Running::start(Timing::default(), |diary| {
        vec![child("mule", "stubborn", 0, diary, Vec::new())]
    });
    node.until(|event| *event == Event::AllReady).await;
    node.orders.send(Command::Stop).await.unwrap();
    let begun = std::time::Instant::now();
    node.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn who_is_never_ready_is_killed_and_tried_again() {
    let timing = Timing {
        ready: Duration::from_millis(200),
        first_pause: Duration::from_millis(10),
        ..Timing::default()
    };
    let mut node = Running::start(timing, |diary| {
        vec![child("slow", "never-ready", 0, diary, Vec::new())]
    });
    let first = node.started("slow").await;
    node.until(|event| {
        *event
            == Event::Killing {
                name: "slow".into(),
            }
    })
    .await;
    assert_ne!(node.started("slow").await, first);
    node.stop().await;
}

#[tokio::test]
async fn nothing_outlives_a_supervisor_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let diary = folder.path().join("diary");
    let mut supervisor = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["as_a_daemon", "--exact", "--nocapture"])
        .env("TEST_DAEMON", "supervisor")
        .env("TEST_DIARY", &diary)
        .spawn()
        .unwrap();
    says(&diary, "all ready").await;
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let told = std::fs::read_to_string(&diary).unwrap();
    let pids: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("started "))
        .collect();
    assert_eq!(pids.len(), 2);
    for pid in pids {
        let gone = async {
            while is_running(pid) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, gone)
            .await
            .expect("the daemon outlives its supervisor");
    }
}

/// Nobody may collect it here, so a zombie counts as ended.
fn is_running(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

#[tokio::test]
async fn a_signal_stops_the_node_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let diary = folder.path().join("diary");
    let mut supervisor = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["as_a_daemon", "--exact", "--nocapture"])
        .env("TEST_DAEMON", "supervisor")
        .env("TEST_DIARY", &diary)
        .spawn()
        .unwrap();
    says(&diary, "all ready").await;
    let pid = Pid::from_child(&supervisor);
    kill_process(pid, Signal::HUP).unwrap();
    says(&diary, "door reloaded").await;
    kill_process(pid, Signal::TERM).unwrap();
    says(&diary, "stopped in order").await;
    assert!(supervisor.wait().unwrap().success());
}

#[tokio::test]
async fn a_call_under_way_when_its_server_is_killed_says_gone() {
    // The supervisor's own process asks, over a link by hand, a server that is
    // killed: here a raw socket that closes without a word.
    let (raw, ours) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let stream = tokio::net::UnixStream::from_std(ours).unwrap();
    let (caller, _) = connection(stream, Side::Client, Limits::default());
    let mut greeting = b"CHANCERY\x00\x01\x02\x00\x00\x00\x00\x10\x00\x04\x00\x00".to_vec();
    (&raw).write_all(&greeting).unwrap();
    let call = tokio::spawn(async move { caller.ask("who".into()).await });
    // Its request has arrived.
    greeting.resize(20 + 9 + 3 + 9, 0);
    tokio::task::spawn_blocking(move || {
        std::io::Read::read_exact(&mut &raw, &mut greeting).unwrap();
        drop(raw);
    })
    .await
    .unwrap();
    assert_eq!(call.await.unwrap(), Err(Error::Gone));
}
