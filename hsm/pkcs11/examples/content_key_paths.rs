//! Two ways to a new wrapped content key, measured: generate it in the token
//! and read it out, or bring random bytes in as a session object. Prints
//! operations per second; takes the module's path and a token's label, the PIN
//! from the file `PIN_FILE`.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and may end where it fails"
)]

use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

fn main() {
    let mut args = std::env::args().skip(1);
    let (module, label) = (args.next().unwrap(), args.next().unwrap());
    let pin = std::fs::read_to_string(std::env::var_os("PIN_FILE").unwrap()).unwrap();
    let module = Pkcs11::new(module).unwrap();
    module
        .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
        .unwrap();
    let slot = module
        .get_slots_with_initialized_token()
        .unwrap()
        .into_iter()
        .find(|slot| module.get_token_info(*slot).unwrap().label() == label)
        .unwrap();
    let session = module.open_ro_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new(pin.trim().into())))
        .unwrap();
    let kek = *session
        .find_objects(&[Attribute::Label(b"kek/intake".to_vec())])
        .unwrap()
        .first()
        .unwrap();
    let common = [
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ];
    let generated = [&common[..], &[Attribute::ValueLen(32.into())]].concat();
    rate("generate, wrap, read out, destroy", || {
        let key = session
            .generate_key(&Mechanism::AesKeyGen, &generated)
            .unwrap();
        session.wrap_key(&Mechanism::AesKeyWrap, kek, key).unwrap();
        session
            .get_attributes(key, &[AttributeType::Value])
            .unwrap();
        session.destroy_object(key).unwrap();
    });
    rate("random, bring in, wrap, destroy", || {
        let mut bytes = vec![0; 32];
        session.generate_random_slice(&mut bytes).unwrap();
        let mut template = common.to_vec();
        template.extend([
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Value(bytes),
        ]);
        let key = session.create_object(&template).unwrap();
        session.wrap_key(&Mechanism::AesKeyWrap, kek, key).unwrap();
        session.destroy_object(key).unwrap();
    });
}

fn rate(name: &str, work: impl Fn()) {
    let (since, mut count) = (Instant::now(), 0u32);
    while since.elapsed() < Duration::from_secs(2) {
        work();
        count += 1;
    }
    println!(
        "{name:36} {:>8.0}/s",
        f64::from(count) / since.elapsed().as_secs_f64()
    );
}
