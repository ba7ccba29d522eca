//! The same tour on PostgreSQL, and with SoftHSM 2 as the token: on the real
//! programs, made by the options that an operator has.
#![forbid(unsafe_code)]

use chancery_flow::tour::World;
use chancery_world::{Postgres, Setup};

/// A server with a database that a role `chancery`, who is no superuser, owns.
fn server() -> (Postgres, String) {
    let server = Postgres::start();
    let role = "CREATE ROLE chancery LOGIN";
    let database = "CREATE DATABASE chancery OWNER chancery";
    for sql in [role, database] {
        server.psql("postgres", "postgres", sql).unwrap();
    }
    let url = format!(
        "postgresql://chancery@/chancery?host={}",
        server.folder().display()
    );
    (server, url)
}

#[test]
fn on_postgresql_and_the_embedded_token() {
    let (server, url) = server();
    let mut world = World::start(Setup {
        database: Some(url),
        ..Setup::default()
    });
    world.tour();
    // Its own log and write-ahead log too.
    world.nothing_stands_anywhere(&[server.folder()]);
}

#[test]
fn on_sqlite_and_softhsm() {
    let mut world = World::start(Setup {
        token: Some("softhsm2"),
        ..Setup::default()
    });
    world.tour();
    world.nothing_stands_anywhere(&[]);
}

#[test]
fn on_postgresql_and_softhsm() {
    let (server, url) = server();
    let mut world = World::start(Setup {
        database: Some(url),
        token: Some("softhsm2"),
        ..Setup::default()
    });
    world.tour();
    world.nothing_stands_anywhere(&[server.folder()]);
}
