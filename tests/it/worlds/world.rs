//! Installations of the program, in every shape that it can be run in.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Output};
use std::sync::Mutex;
use std::time::Duration;

use prost_types::Timestamp;
use tempfile::TempDir;
use tonic::Status;
use uuid::Uuid;

use sextant::client::Client;
use sextant::installation::Role;
use sextant::links::{Addresses, Links};
use sextant_backends::testing::{Database, migrated_database, redis_url};
use sextant_proto::ingestion::v1::{CreateTenantRequest, Tenant};
use sextant_proto::segmentation::v1::{CreateSegmentationRequest, Segmentation};
use sextant_runtime::auth::Key;
use sextant_runtime::link::LinkOptions;
use sextant_runtime::telemetry::Meters;

use crate::worlds::process::{Process, free_address, run, segmenters, start};

/// How the services are spread over processes, and where they keep what they know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All in one process, with the embedded engine.
    Embedded,
    /// All in one process, with PostgreSQL and Redis.
    Together,
    /// Each in a process of its own, with PostgreSQL and Redis.
    Apart,
}

/// Longest wait for the end of a process that has closed its connections.
const LONGEST_DEATH: Duration = Duration::from_secs(30);

const SERVICES: [Role; 4] = [
    Role::Ingestion,
    Role::Scoring,
    Role::Segmentation,
    Role::Metrics,
];

/// A process that can be started again, and where it is reached.
struct Place {
    role: Role,
    address: SocketAddr,
    admin: SocketAddr,
    process: Option<Process>,
}

/// A running installation. Its data is gone with it.
pub(crate) struct World {
    key: Key,
    settings: Vec<String>,
    addresses: Addresses,
    /// Held while a process is down.
    places: Mutex<Vec<Place>>,
    folder: TempDir,
    /// Where it does not keep everything in the folder.
    database: Option<Database>,
}

impl World {
    /// An installation of that shape, serving.
    pub(crate) async fn start(shape: Shape) -> Self {
        Self::start_with(shape, &[]).await
    }

    /// The same with more settings.
    pub(crate) async fn start_with(shape: Shape, more: &[String]) -> Self {
        let world = Self::new(shape, more).await;
        world.serve_all();
        world
    }

    /// All services in one process over that database, serving.
    pub(crate) fn over(database: Database) -> Self {
        let world = Self::with(Shape::Together, Some(database), &[]);
        world.serve_all();
        world
    }

    /// An installation with the data of a backup, serving.
    pub(crate) async fn restored(backup: &Path) -> Self {
        let world = Self::new(Shape::Embedded, &[]).await;
        let output = world.program(&["restore", backup.to_str().unwrap()]);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaints}");
        world.serve_all();
        world
    }

    async fn new(shape: Shape, more: &[String]) -> Self {
        let database = match shape {
            Shape::Embedded => None,
            Shape::Together | Shape::Apart => Some(migrated_database().await),
        };
        Self::with(shape, database, more)
    }

    fn with(shape: Shape, database: Option<Database>, more: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, service_key) = (Key::generate().unwrap(), Key::generate().unwrap());
        let mut settings = vec![
            format!("store.data_dir={}", folder.path().join("data").display()),
            format!("plugins.builtin_dir={}", segmenters().display()),
            format!("auth.admin_key={}", key.expose()),
            "server.drain_notice_ms=0".to_owned(),
            "telemetry.log_format=json".to_owned(),
            "telemetry.log_filter=warn,sextant=info".to_owned(),
        ];
        settings.extend_from_slice(more);
        if let Some(database) = &database {
            settings.push("store.kind=postgres".to_owned());
            settings.push(format!("store.postgres_url={}", database.url()));
            settings.push(format!("cache.redis_url={}", redis_url()));
        }
        let roles = if shape == Shape::Apart {
            settings.push(format!("auth.service_key={}", service_key.expose()));
            &SERVICES[..]
        } else {
            &[Role::All]
        };
        let places: Vec<Place> = roles
            .iter()
            .map(|role| Place {
                role: *role,
                address: free_address(),
                admin: free_address(),
                process: None,
            })
            .collect();
        let address = |role| {
            let place = places.iter().find(|place| place.role == role);
            format!("http://{}", place.unwrap_or(&places[0]).address)
        };
        let addresses = Addresses {
            ingestion: address(Role::Ingestion),
            scoring: address(Role::Scoring),
            segmentation: address(Role::Segmentation),
            metrics: address(Role::Metrics),
        };
        settings.extend([
            format!("services.ingestion={}", addresses.ingestion),
            format!("services.scoring={}", addresses.scoring),
            format!("services.segmentation={}", addresses.segmentation),
            format!("services.metrics={}", addresses.metrics),
        ]);
        Self {
            key,
            settings,
            addresses,
            places: Mutex::new(places),
            folder,
            database,
        }
    }

    fn serve_all(&self) {
        for place in self.places.lock().unwrap().iter_mut() {
            place.process = Some(Process::serve(place.role, &self.settings_of(place)));
        }
    }

    fn settings_of(&self, place: &Place) -> Vec<String> {
        let mut settings = self.settings.clone();
        settings.push(format!("server.listen={}", place.address));
        settings.push(format!("server.admin_listen={}", place.admin));
        settings
    }

    /// The roles of its processes.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let places = self.places.lock().unwrap();
        places.iter().map(|place| place.role).collect()
    }

    /// Kills a process with SIGKILL.
    pub(crate) fn kill(&self, role: Role) {
        drop(self.take(role));
    }

    /// Kills a process with SIGKILL and starts it again at the same address.
    pub(crate) fn kill_and_restart(&self, role: Role) {
        self.kill_and_restart_with(role, &[]);
    }

    /// The same with more settings.
    pub(crate) fn kill_and_restart_with(&self, role: Role, more: &[String]) {
        let mut places = self.places.lock().unwrap();
        let place = places.iter_mut().find(|place| place.role == role).unwrap();
        drop(place.process.take());
        let settings = [self.settings_of(place).as_slice(), more].concat();
        place.process = Some(Process::serve(role, &settings));
    }

    /// Kills a process and starts it as one that dies at the first commit of a service, `before` or `after` it.
    pub(crate) fn restart_dying(&self, role: Role, fault: [&str; 2]) {
        let mut places = self.places.lock().unwrap();
        let place = places.iter_mut().find(|place| place.role == role).unwrap();
        drop(place.process.take());
        place.process = Process::serve_dying(fault, role, &self.settings_of(place));
    }

    /// Returns when a process has ended, which it is about to do.
    pub(crate) async fn wait_for_death(&self, role: Role) {
        let Some(mut process) = self.take(role) else {
            return;
        };
        let dying = tokio::task::spawn_blocking(move || process.wait());
        let died = tokio::time::timeout(LONGEST_DEATH, dying).await;
        assert!(!died.unwrap().unwrap().success());
    }

    /// Returns when no process is down.
    pub(crate) fn wait_until_all_serve(&self) {
        drop(self.places.lock().unwrap());
    }

    /// Ends all processes as a supervisor does, the last service first. The executor stays free meanwhile: a client that is
    /// still connected has to answer before its server can close.
    pub(crate) async fn end(&self) {
        let roles = self.roles();
        for role in roles.into_iter().rev() {
            let mut process = self.take(role).unwrap();
            tokio::task::spawn_blocking(move || process.end())
                .await
                .unwrap();
        }
    }

    fn take(&self, role: Role) -> Option<Process> {
        let mut places = self.places.lock().unwrap();
        let place = places.iter_mut().find(|place| place.role == role).unwrap();
        place.process.take()
    }

    /// Processor time that its processes have used, in clock ticks.
    pub(crate) fn ticks(&self) -> u64 {
        let places = self.places.lock().unwrap();
        let ticks = places.iter().map(|place| {
            let id = place.process.as_ref().unwrap().id();
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            // After the name, which is in parentheses: utime and stime are fields 14 and 15 of all.
            let (_, fields) = stat.rsplit_once(')').unwrap();
            let fields: Vec<&str> = fields.split_whitespace().collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        });
        ticks.sum()
    }

    /// Transactions that PostgreSQL has counted; 0 where it is not used.
    pub(crate) async fn transactions(&self) -> i64 {
        match &self.database {
            Some(database) => database.transactions().await,
            None => 0,
        }
    }

    /// Has PostgreSQL do nothing of its own accord, where it is used.
    pub(crate) async fn turn_off_vacuum(&self) {
        if let Some(database) = &self.database {
            database.turn_off_vacuum().await;
        }
    }

    /// What the process of a role tells Prometheus; where one process is all, that one.
    pub(crate) fn scrape(&self, role: Role) -> String {
        self.admin(role, "/metrics")
    }

    /// What the admin port of the process of a role answers, head and body; where one process is all, that one's.
    pub(crate) fn admin(&self, role: Role, path: &str) -> String {
        let admin = {
            let places = self.places.lock().unwrap();
            let place = places.iter().find(|place| place.role == role);
            place.unwrap_or(&places[0]).admin
        };
        let mut stream = TcpStream::connect(admin).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Runs a command of the command line against it.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_with_notes(&[arguments, &["--quiet"]].concat())
    }

    /// Runs a command that calls nobody.
    pub(crate) fn program(&self, arguments: &[&str]) -> Output {
        run(&self.settings, arguments)
    }

    /// The settings of the process of a role.
    pub(crate) fn settings(&self, role: Role) -> Vec<String> {
        let places = self.places.lock().unwrap();
        let place = places.iter().find(|place| place.role == role);
        self.settings_of(place.unwrap())
    }

    /// One more process of a role, with more settings, and a client of its own that calls it in place of the other one.
    pub(crate) fn replica(&self, role: Role, more: &[String]) -> (Process, Client) {
        let (address, admin) = (free_address(), free_address());
        let mut settings = self.settings(role);
        settings.push(format!("server.listen={address}"));
        settings.push(format!("server.admin_listen={admin}"));
        settings.extend_from_slice(more);
        let process = Process::serve(role, &settings);
        let mut addresses = self.addresses.clone();
        let place = match role {
            Role::Scoring => &mut addresses.scoring,
            Role::Segmentation => &mut addresses.segmentation,
            Role::Metrics => &mut addresses.metrics,
            Role::Ingestion | Role::All => &mut addresses.ingestion,
        };
        *place = format!("http://{address}");
        let options = LinkOptions::new(Duration::from_secs(30), Meters::none());
        let links = Links::connect(&addresses, &options).unwrap();
        (process, Client::new(links, Some(&self.key)))
    }

    /// The same, with what it tells on the way.
    pub(crate) fn cli_with_notes(&self, arguments: &[&str]) -> Output {
        self.cli_of(&self.key, arguments)
    }

    /// The same, under way.
    pub(crate) fn start_cli(&self, arguments: &[&str]) -> Child {
        let key = self.key.expose();
        let arguments = [arguments, &["--key", &key]].concat();
        start(&self.settings, &arguments)
    }

    /// The same with any key.
    pub(crate) fn cli_of(&self, key: &Key, arguments: &[&str]) -> Output {
        let key = key.expose();
        let arguments = [arguments, &["--key", &key]].concat();
        run(&self.settings, &arguments)
    }

    /// A folder for files of a test.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its services are.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Links without a key.
    pub(crate) fn links(&self) -> Links {
        let options = LinkOptions::new(Duration::from_secs(30), Meters::none());
        Links::connect(&self.addresses, &options).unwrap()
    }

    /// The installation's own key.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// A client of the installation's own key.
    pub(crate) fn client(&self) -> Client {
        self.client_with(&self.key)
    }

    /// A client of any key.
    pub(crate) fn client_with(&self, key: &Key) -> Client {
        Client::new(self.links(), Some(key))
    }
}

/// Makes a tenant whose clock stands still, and gives a client for it.
pub(crate) async fn tenant(client: &Client, name: &str, clock: Timestamp) -> Client {
    tenant_in(client, name, "UTC", Some(clock)).await
}

/// The same in a time zone; without a clock of its own it follows the real one.
pub(crate) async fn tenant_in(
    client: &Client,
    name: &str,
    time_zone: &str,
    fixed_clock: Option<Timestamp>,
) -> Client {
    let tenant = Tenant {
        name: name.to_owned(),
        time_zone: time_zone.to_owned(),
        base_currency: "USD".to_owned(),
        fixed_clock,
        retention_days: 3_650,
        slices: 1,
        ..Tenant::default()
    };
    made(client, tenant).await
}

/// Any tenant.
pub(crate) async fn made(client: &Client, tenant: Tenant) -> Client {
    let request = CreateTenantRequest {
        tenant: Some(tenant),
        request_id: request_id(),
    };
    let made = client
        .tenants()
        .create_tenant(client.request(request))
        .await;
    client
        .of_tenant(&made.unwrap().into_inner().tenant.unwrap())
        .unwrap()
}

/// Puts a built-in segmenter to use under its own name.
pub(crate) async fn segmentation(client: &Client, name: &str) {
    segmentation_by(client, name, name, "{}").await;
}

/// One by a built-in segmenter, under a key of its own and with a configuration.
pub(crate) async fn segmentation_by(client: &Client, key: &str, segmenter: &str, config: &str) {
    let segmenter = if segmenter.contains('.') {
        segmenter.to_owned()
    } else {
        format!("sextant.{segmenter}")
    };
    let made = segmentation_of(client, key, &segmenter, config).await;
    made.unwrap();
}

/// The same by any segmenter, or why it is refused.
pub(crate) async fn segmentation_of(
    client: &Client,
    key: &str,
    segmenter: &str,
    config: &str,
) -> Result<(), Status> {
    let segmentation = Segmentation {
        key: key.to_owned(),
        segmenter_id: segmenter.to_owned(),
        config: config.to_owned(),
        ..Segmentation::default()
    };
    let request = CreateSegmentationRequest {
        segmentation: Some(segmentation),
        request_id: request_id(),
        validate_only: false,
    };
    let mut segmentations = client.segmentation();
    let made = segmentations.create_segmentation(client.request(request));
    made.await.map(|_made| ())
}

/// The id of a request that is made once.
pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}
