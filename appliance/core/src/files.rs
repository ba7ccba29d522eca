//! The files of the doors, which open none themselves once they serve: read
//! again for them when they are told to.

use std::fs;
use std::path::{Path, PathBuf};

use chancery_ipc::codec;
use chancery_message::Channel;
use chancery_pipeline::ports::{Reply, ReplyBody};
use chancery_pipeline::protocol::DoorFiles;
use chancery_settings::Settings;

/// Largest file.
const MOST: u64 = 16 * 1024 * 1024;

/// The files of a door: certificate, client authority, revocation lists.
fn of(settings: &Settings, zone: Channel) -> Option<[Option<&PathBuf>; 3]> {
    let doors = &settings.doors;
    let mutual = match zone {
        Channel::Mail => {
            let mail = doors.mail.as_ref()?;
            return Some([Some(&mail.certificate), None, None]);
        }
        Channel::Siena => doors.siena.as_ref()?,
        Channel::Rest => doors.rest.as_ref()?,
    };
    Some([
        Some(&mutual.certificate),
        Some(&mutual.client_ca),
        mutual.crl.as_ref(),
    ])
}

/// The folders of all doors' files: files are replaced as a whole.
pub(crate) fn folders(settings: &Settings) -> impl Iterator<Item = PathBuf> + '_ {
    Channel::ALL
        .into_iter()
        .filter_map(|zone| of(settings, zone))
        .flatten()
        .flatten()
        .filter_map(|file| file.parent().map(Path::to_path_buf))
}

/// The files of a door as they are now.
pub(crate) fn read(settings: &Settings, zone: Channel) -> Reply {
    let reply = |status, body: Vec<u8>| Reply {
        status,
        content_type: "application/octet-stream".to_owned(),
        headers: Vec::new(),
        body: ReplyBody::Whole(body.into()),
        per_recipient: Vec::new(),
    };
    match read_all(settings, zone) {
        Ok(files) => match codec::encode(&files) {
            Ok(body) => reply(200, body),
            Err(error) => reply(503, error.to_string().into_bytes()),
        },
        Err(why) => reply(503, why.into_bytes()),
    }
}

fn read_all(settings: &Settings, zone: Channel) -> Result<DoorFiles, String> {
    let [certificate, client_ca, crl] =
        of(settings, zone).ok_or_else(|| format!("there is no [doors.{zone}] in the settings"))?;
    let one = |file: Option<&PathBuf>| file.map(|file| read_file(file)).transpose();
    Ok(DoorFiles {
        certificate: one(certificate)?.unwrap_or_default(),
        client_ca: one(client_ca)?,
        crl: one(crl)?,
    })
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", file.display());
    let size = fs::metadata(file).map_err(|error| cannot(&error))?.len();
    if size > MOST {
        return Err(cannot(&"it is larger than 16 MiB"));
    }
    fs::read(file).map_err(|error| cannot(&error))
}
