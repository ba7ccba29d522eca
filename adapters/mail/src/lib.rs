//! Mail: SMTP and LMTP in, MIME and OpenPGP, SMTP out.
#![forbid(unsafe_code)]
