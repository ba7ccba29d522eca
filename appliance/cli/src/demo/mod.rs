//! stub
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_: &Args, _: bool) -> Result<(), crate::failure::Failure> { Err(crate::failure::Failure::new("not yet")) }
