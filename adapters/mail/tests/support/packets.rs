//! OpenPGP messages made and taken apart with sequoia.

use std::io::Write as _;

use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::stream::{
    Armorer, Compressor, Encryptor, LiteralWriter, Message, Recipient,
};
use sequoia_openpgp::types::{CompressionAlgorithm, Features};
use sequoia_openpgp::{Cert, PacketPile, armor};

use super::mail::World;

/// A message encrypted by sequoia, compressed so many times.
pub(crate) fn made(world: &World, layers: usize, content: &[u8], repeat: usize) -> Vec<u8> {
    let cert = Cert::from_bytes(&world.certificate_bytes).unwrap();
    let key = cert.keys().subkeys().next().unwrap().key().clone();
    let recipient = Recipient::new(Features::empty().set_seipdv1(), key.key_handle(), &key);
    let mut out = Vec::new();
    let message = Armorer::new(Message::new(&mut out)).build().unwrap();
    let mut message = Encryptor::for_recipients(message, vec![recipient])
        .build()
        .unwrap();
    for _ in 0..layers {
        message = Compressor::new(message)
            .algo(CompressionAlgorithm::Zip)
            .build()
            .unwrap();
    }
    let mut message = LiteralWriter::new(message).build().unwrap();
    for _ in 0..repeat {
        message.write_all(content).unwrap();
    }
    message.finalize().unwrap();
    out
}

pub(crate) fn binary(armored: &[u8]) -> PacketPile {
    PacketPile::from_bytes(armored).unwrap()
}

pub(crate) fn armored(octets: &[u8]) -> Vec<u8> {
    let mut writer = armor::Writer::new(Vec::new(), armor::Kind::Message).unwrap();
    writer.write_all(octets).unwrap();
    writer.finalize().unwrap()
}

/// Packets as they are, encrypted to the gateway.
pub(crate) fn enclosed(world: &World, packets: &[u8]) -> Vec<u8> {
    let cert = Cert::from_bytes(&world.certificate_bytes).unwrap();
    let key = cert.keys().subkeys().next().unwrap().key().clone();
    let recipient = Recipient::new(Features::empty().set_seipdv1(), key.key_handle(), &key);
    let mut out = Vec::new();
    let message = Armorer::new(Message::new(&mut out)).build().unwrap();
    let mut message = Encryptor::for_recipients(message, vec![recipient])
        .build()
        .unwrap();
    message.write_all(packets).unwrap();
    message.finalize().unwrap();
    out
}
