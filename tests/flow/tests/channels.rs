//! A message goes all the way, through every channel, on a node that was made
//! by `chancery init` and is run by `chancery run`; and no word of it stands
//! anywhere that is not meant to have it.
#![forbid(unsafe_code)]

use chancery_flow::tour::World;
use chancery_world::Setup;

#[test]
fn on_sqlite_and_the_embedded_token() {
    let mut world = World::start(Setup::default());
    world.tour();
    world.nothing_stands_anywhere(&[]);
}
