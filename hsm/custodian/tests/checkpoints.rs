//! The checkpoint book: one history, whatever is asked and whenever it restarts.
#![forbid(unsafe_code)]

mod soft;

use std::sync::Arc;

use chancery_hsm_api::{CheckpointRequest, Checkpoints, KeyErrorKind, KeyRole, PublicKeys};
use chancery_hsm_custodian::note::{NoteVerifier, checkpoint_text, verifier_key};
use chancery_hsm_custodian::{Book, ChainLog, Client, CustodyClient, Limits, Server};
use p256::ecdsa::DerSignature;
use p256::ecdsa::signature::Verifier as _;
use signed_note::{Note, VerifierList};
use soft::{ORIGIN, SoftKeys, Tree, secret, server};

fn core(server: Server<SoftKeys>) -> CustodyClient {
    CustodyClient::new(move |request| Ok(server.handle(Client::Core, request).to_vec()))
}

fn start(folder: &std::path::Path) -> CustodyClient {
    core(server(folder, SoftKeys::default(), Limits::default()))
}

#[test]
fn a_growing_log_is_signed_and_every_note_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path());
    let tree = Tree::new(40, 0);
    let point = SoftKeys::default()
        .public_key(&KeyRole::AuditCheckpoint)
        .unwrap();
    let mut last = 0;
    for size in [1, 2, 3, 7, 8, 9, 31, 40] {
        let signed = client.sign_checkpoint(&tree.request(last, size)).unwrap();
        assert_eq!((signed.size, signed.root), (size, tree.root(size)));
        assert_eq!(
            client.last_checkpoint(ORIGIN).unwrap(),
            (size, tree.root(size))
        );

        let note = Note::from_bytes(signed.note.as_bytes()).unwrap();
        assert_eq!(
            note.text(),
            checkpoint_text(ORIGIN, size, &tree.root(size)).as_bytes()
        );
        let verifier = NoteVerifier::new(ORIGIN, &point).unwrap();
        let (good, rest) = note
            .verify(&VerifierList::new(vec![Box::new(verifier)]))
            .unwrap();
        assert_eq!((good.len(), rest.len()), (1, 0));

        // And without our own verifier.
        let der = DerSignature::from_bytes(good[0].signature()).unwrap();
        secret(&KeyRole::AuditCheckpoint)
            .verifying_key()
            .verify(note.text(), &der)
            .unwrap();
        last = size;
    }
}

#[test]
fn the_key_id_is_that_of_the_specification() {
    use sha2::Digest as _;
    let point = SoftKeys::default()
        .public_key(&KeyRole::AuditCheckpoint)
        .unwrap();
    let key = verifier_key(ORIGIN, &point);
    let mut parts = key.splitn(3, '+');
    assert_eq!(parts.next(), Some(ORIGIN));
    let id = parts.next().unwrap();
    let typed = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, parts.next().unwrap());
    let typed = typed.unwrap();
    assert_eq!(typed[0], 0x02);
    // The rest is a SubjectPublicKeyInfo that another implementation reads.
    use p256::pkcs8::DecodePublicKey as _;
    let read = p256::ecdsa::VerifyingKey::from_public_key_der(&typed[1..]).unwrap();
    assert_eq!(read.to_encoded_point(false).as_bytes(), point);
    let mut hash = sha2::Sha256::new();
    hash.update(ORIGIN);
    hash.update([0x0a]);
    hash.update(&typed);
    assert_eq!(id, hex::encode(&hash.finalize()[..4]));
}

#[test]
fn another_history_a_shorter_log_and_a_wrong_proof_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path());
    let tree = Tree::new(40, 0);
    let other = Tree::new(40, 1);
    client.sign_checkpoint(&tree.request(0, 10)).unwrap();
    let mut wrong_proof = tree.request(10, 20);
    wrong_proof.consistency[0][0] ^= 1;
    let mut no_proof = tree.request(10, 20);
    no_proof.consistency.clear();
    let mut long_proof = tree.request(10, 20);
    long_proof.consistency.resize(129, [0; 32]);
    let refused: [(&str, CheckpointRequest); 9] = [
        ("same size, other root", other.request(10, 10)),
        ("longer, other history", other.request(10, 20)),
        ("shorter", tree.request(0, 9)),
        (
            "empty",
            CheckpointRequest {
                size: 0,
                ..tree.request(0, 1)
            },
        ),
        ("wrong proof", wrong_proof),
        ("no proof", no_proof),
        ("long proof", long_proof),
        (
            "another log",
            CheckpointRequest {
                origin: "other/log".into(),
                ..tree.request(10, 20)
            },
        ),
        (
            "absurd size",
            CheckpointRequest {
                size: u64::MAX,
                ..tree.request(10, 20)
            },
        ),
    ];
    for (what, request) in refused {
        let error = client.sign_checkpoint(&request).unwrap_err();
        assert_eq!(error.kind, KeyErrorKind::Denied, "{what}: {error}");
        assert_eq!(
            client.last_checkpoint(ORIGIN).unwrap(),
            (10, tree.root(10)),
            "{what}"
        );
    }
    client.sign_checkpoint(&tree.request(10, 20)).unwrap();
}

#[test]
fn asked_again_for_the_last_one_it_answers_the_same_note() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path());
    let tree = Tree::new(20, 0);
    let first = client.sign_checkpoint(&tree.request(0, 10)).unwrap();
    assert_eq!(
        client.sign_checkpoint(&tree.request(10, 10)).unwrap(),
        first
    );
    // A replay of an older one is not an answer to anything.
    client.sign_checkpoint(&tree.request(10, 20)).unwrap();
    let error = client.sign_checkpoint(&tree.request(0, 10)).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Denied);
}

#[test]
fn a_restart_keeps_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new(40, 0);
    let first = start(folder.path())
        .sign_checkpoint(&tree.request(0, 10))
        .unwrap();
    let client = start(folder.path());
    assert_eq!(client.last_checkpoint(ORIGIN).unwrap(), (10, tree.root(10)));
    assert_eq!(
        client.sign_checkpoint(&tree.request(10, 10)).unwrap(),
        first
    );
    assert!(
        client
            .sign_checkpoint(&Tree::new(40, 1).request(10, 20))
            .is_err()
    );
    client.sign_checkpoint(&tree.request(10, 20)).unwrap();
}

#[test]
fn a_book_that_is_gone_damaged_or_anothers_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("checkpoints.json");
    start(folder.path())
        .sign_checkpoint(&Tree::new(9, 0).request(0, 9))
        .unwrap();
    let kept = std::fs::read(&book).unwrap();
    let log = ChainLog::open(&folder.path().join("custodian.log"), || 1).unwrap();
    let open = |origin: &str| Book::open(&book, origin, &log).map(|book| book.last());

    for bad in [b"".as_slice(), b"{}", &kept[..kept.len() / 2]] {
        std::fs::write(&book, bad).unwrap();
        assert_eq!(open(ORIGIN).unwrap_err().kind, KeyErrorKind::Config);
    }
    std::fs::remove_file(&book).unwrap();
    assert!(open(ORIGIN).unwrap_err().detail.contains("gone"));
    std::fs::write(&book, &kept).unwrap();
    assert!(open("other/log").unwrap_err().detail.contains("belongs"));
    assert_eq!(open(ORIGIN).unwrap().0, 9);
}

#[test]
fn if_the_book_cannot_be_written_nothing_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path());
    let tree = Tree::new(20, 0);
    client.sign_checkpoint(&tree.request(0, 10)).unwrap();
    // A folder in the way of the new file.
    let way = folder.path().join("checkpoints.json.new");
    std::fs::create_dir(&way).unwrap();
    let error = client.sign_checkpoint(&tree.request(10, 20)).unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::Config);
    assert_eq!(client.last_checkpoint(ORIGIN).unwrap().0, 10);
    std::fs::remove_dir(&way).unwrap();
    client.sign_checkpoint(&tree.request(10, 20)).unwrap();
}

#[test]
fn a_signature_that_does_not_verify_is_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let client = core(server(
        folder.path(),
        SoftKeys {
            lying: true,
            ..SoftKeys::default()
        },
        Limits::default(),
    ));
    let error = client
        .sign_checkpoint(&Tree::new(9, 0).request(0, 9))
        .unwrap_err();
    assert_eq!(error.kind, KeyErrorKind::DeviceLost);
    assert_eq!(client.last_checkpoint(ORIGIN).unwrap().0, 0);
}

#[test]
fn many_callers_at_once_get_one_history() {
    let folder = tempfile::tempdir().unwrap();
    let client = Arc::new(start(folder.path()));
    let (left, right) = (Tree::new(40, 1), Tree::new(40, 2));
    let signed = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8u8)
            .map(|n| {
                let client = Arc::clone(&client);
                let tree = if n % 2 == 0 { &left } else { &right };
                scope.spawn(move || client.sign_checkpoint(&tree.request(0, 20)).ok())
            })
            .collect();
        tries
            .into_iter()
            .filter_map(|one| one.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(signed.len(), 4, "those of one history, and nobody else");
    assert!(signed.iter().all(|one| *one == signed[0]));
}
