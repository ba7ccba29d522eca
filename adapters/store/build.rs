//! Migrations are embedded by a macro that does not tell cargo of new files.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
