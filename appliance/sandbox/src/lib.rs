//! No-new-privileges, Landlock, seccomp: what each daemon may still do.
#![forbid(unsafe_code)]
