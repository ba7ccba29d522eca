//! The same tour on PostgreSQL, and with SoftHSM 2 as the token: on the real
//! programs, made by the options that an operator has.
#![forbid(unsafe_code)]

use chancery_flow::tour::World;
use chancery_world::{Postgres, Setup};

#[test]
fn on_postgresql_and_the_embedded_token() {
    let server = Postgres::start();
    let mut world = World::start(Setup {
        database: Some(server.database_of_a_gateway()),
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
    let server = Postgres::start();
    let mut world = World::start(Setup {
        database: Some(server.database_of_a_gateway()),
        token: Some("softhsm2"),
        ..Setup::default()
    });
    world.tour();
    world.nothing_stands_anywhere(&[server.folder()]);
}
