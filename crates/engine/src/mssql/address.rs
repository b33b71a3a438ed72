//! Where a server is, as a person types it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A server: `mssql://user@host[:port][/instance]?encrypt=..&trust=..`.
///
/// There is no place for a password in it: it comes from the environment variable
/// `VAB_MSSQL_PASSWORD`. Without a user the account of the process logs in, on Windows.
///
/// ```
/// use vab_engine::mssql::{Address, Encryption};
///
/// let address: Address = "mssql://backup@db1.example.com:1444".parse()?;
/// assert_eq!((address.host.as_str(), address.port), ("db1.example.com", Some(1444)));
/// assert_eq!(address.encryption, Encryption::Required);
/// assert!("mssql://sa:secret@db1".parse::<Address>().is_err());
/// # Ok::<(), vab_engine::mssql::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The login of SQL Server; `None` for the account of the process.
    pub user: Option<String>,
    /// Name or address of the machine.
    pub host: String,
    /// The TCP port; `None` for 1433, or for what SQL Server Browser says of a named instance.
    pub port: Option<u16>,
    /// The instance, without the machine's name; `None` for the default instance.
    pub instance: Option<String>,
    /// How the connection is encrypted (`encrypt`).
    pub encryption: Encryption,
    /// Whose certificates are trusted (`trust`).
    pub trust: Trust,
    /// The name that the server's certificate has to have, if it is not `host` (`name`).
    pub certificate_name: Option<String>,
    /// Where virtual devices are made (`devices`).
    pub devices: Devices,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// `encrypt=yes`: TLS for everything.
    #[default]
    Required,
    /// `encrypt=strict`: TLS before the first byte (TDS 8.0; SQL Server 2022 and later).
    Strict,
    /// `encrypt=login`: TLS for the login only. What follows can be read on the wire.
    LoginOnly,
    /// `encrypt=no`: nothing, not even the password. For a socket of the same machine only.
    Off,
}

/// Whose certificates are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system trusts.
    #[default]
    System,
    /// `trust=FILE`: also those signed by the certificates in this PEM or DER file.
    File(PathBuf),
    /// `trust=any`: anybody's. Whoever sits on the way can read and change everything.
    Any,
}

/// Where virtual devices are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Devices {
    /// In the server's own library on this machine.
    #[default]
    Native,
    /// `devices=pipe:DIR`: in the sockets of a folder, for a server that opens them there. SQL
    /// Server itself does not.
    Pipe(PathBuf),
}

/// Why a text does not say where a server is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not the form.
    #[error(
        "`{text}` is not a SQL Server: expected mssql://USER@HOST[:PORT][/INSTANCE][?encrypt=..&trust=..]"
    )]
    Form {
        /// What was found.
        text: String,
    },
    /// A password; it is not repeated here.
    #[error(
        "a password does not belong into an address, where other users of the machine can read it; put it into the environment variable VAB_MSSQL_PASSWORD and write mssql://USER@HOST"
    )]
    Password,
    /// Not a port.
    #[error("`{text}` is not a TCP port; expected 1 to 65535")]
    Port {
        /// What was found.
        text: String,
    },
    /// Not a percent-encoded text.
    #[error("`{text}` is not percent-encoded UTF-8; write % as %25")]
    Encoding {
        /// What was found.
        text: String,
    },
    /// A setting that is not known.
    #[error(
        "`{key}` is no setting of a SQL Server address; there are encrypt, trust, name and devices"
    )]
    Setting {
        /// The setting.
        key: String,
    },
    /// A setting is said twice.
    #[error("the setting `{key}` is there twice")]
    Twice {
        /// The setting.
        key: String,
    },
    /// A value that the setting does not have.
    #[error("`{key}={value}` is not possible; expected {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What was found.
        value: String,
        /// What is possible.
        expected: &'static str,
    },
    /// Encryption off and trust given.
    #[error(
        "`trust` and `name` say whom to believe, and with `encrypt=no` nobody shows a certificate"
    )]
    TrustWithoutEncryption,
}

impl Address {
    /// The default instance of a machine, encrypted, its certificate checked.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            user: None,
            host: host.into(),
            port: None,
            instance: None,
            encryption: Encryption::default(),
            trust: Trust::default(),
            certificate_name: None,
            devices: Devices::default(),
        }
    }

    fn settings(&mut self, text: &str) -> Result<(), AddressError> {
        let mut seen = Vec::new();
        for setting in text.split('&').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            if seen.contains(&key) {
                return Err(AddressError::Twice {
                    key: key.to_owned(),
                });
            }
            seen.push(key);
            self.setting(key, decode(value)?)?;
        }
        let shown = self.trust != Trust::System || self.certificate_name.is_some();
        if self.encryption == Encryption::Off && shown {
            return Err(AddressError::TrustWithoutEncryption);
        }
        Ok(())
    }

    fn setting(&mut self, key: &str, value: String) -> Result<(), AddressError> {
        let wrong = |key, value, expected| {
            Err(AddressError::Value {
                key,
                value,
                expected,
            })
        };
        match (key, value.as_str()) {
            ("encrypt", "yes") => self.encryption = Encryption::Required,
            ("encrypt", "strict") => self.encryption = Encryption::Strict,
            ("encrypt", "login") => self.encryption = Encryption::LoginOnly,
            ("encrypt", "no") => self.encryption = Encryption::Off,
            ("encrypt", _) => return wrong("encrypt", value, "yes, strict, login or no"),
            ("trust", "system") => self.trust = Trust::System,
            ("trust", "any") => self.trust = Trust::Any,
            ("trust", "") => return wrong("trust", value, "system, any or a file"),
            ("trust", file) => self.trust = Trust::File(file.into()),
            ("name", "") => return wrong("name", value, "the name in the certificate"),
            ("name", _) => self.certificate_name = Some(value),
            ("devices", "native") => self.devices = Devices::Native,
            ("devices", other) => match other.strip_prefix("pipe:") {
                Some(folder) if !folder.is_empty() => self.devices = Devices::Pipe(folder.into()),
                _ => return wrong("devices", value, "native or pipe:DIR"),
            },
            ("password" | "pwd", _) => return Err(AddressError::Password),
            _ => {
                return Err(AddressError::Setting {
                    key: key.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("mssql://").unwrap_or_default();
        let (place, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, instance) = place.split_once('/').unwrap_or((place, ""));
        let (user, machine) = match authority.rsplit_once('@') {
            // What stands behind the colon may be a password, so it is not repeated.
            Some((user, _)) if user.contains(':') => return Err(AddressError::Password),
            Some((user, machine)) => (Some(decode(user)?), machine),
            None => (None, authority),
        };
        let form = || AddressError::Form {
            text: text.to_owned(),
        };
        let (host, port) = host_and_port(machine).ok_or_else(form)?;
        if user.as_ref().is_some_and(String::is_empty) || instance.contains('/') {
            return Err(form());
        }
        let mut address = Self::new(decode(host)?);
        address.user = user;
        address.port = match port {
            None => None,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => {
                    return Err(AddressError::Port {
                        text: port.to_owned(),
                    });
                }
                Ok(port) => Some(port),
            },
        };
        // The default instance has a name too, which nobody asks the browser for.
        address.instance = Some(decode(instance)?)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("MSSQLSERVER"));
        address.settings(settings)?;
        Ok(address)
    }
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn host_and_port(text: &str) -> Option<(&str, Option<&str>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match text.find(':') {
            Some(colon) => text.split_at_checked(colon)?,
            None => (text, ""),
        },
    };
    let port = match rest {
        "" => None,
        rest => Some(rest.strip_prefix(':')?),
    };
    (!host.is_empty()).then_some((host, port))
}

fn decode(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError::Encoding {
        text: text.to_owned(),
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(wrong()),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

impl fmt::Display for Address {
    /// The machine, the port and the instance, as messages name them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if let Some(instance) = &self.instance {
            write!(f, "/{instance}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn everything_can_be_said() {
        let all = "mssql://CORP%5Cbackup@[fe80::1]:1444/PROD?encrypt=strict&trust=%2Fetc%2Fca.pem&name=db1&devices=pipe:/run/vab";
        let mut expected = Address::new("fe80::1");
        expected.user = Some(r"CORP\backup".to_owned());
        expected.port = Some(1444);
        expected.instance = Some("PROD".to_owned());
        expected.encryption = Encryption::Strict;
        expected.trust = Trust::File("/etc/ca.pem".into());
        expected.certificate_name = Some("db1".to_owned());
        expected.devices = Devices::Pipe("/run/vab".into());
        assert_eq!(parse(all), Ok(expected));
    }

    #[test]
    fn little_is_enough_and_is_safe() {
        let address = parse("mssql://db1").unwrap();
        assert_eq!(address, Address::new("db1"));
        assert_eq!(address.encryption, Encryption::Required);
        assert_eq!(address.trust, Trust::System);
        assert_eq!(parse("mssql://db1/mssqlserver").unwrap(), address);
    }

    #[test]
    fn a_password_is_refused_with_advice_and_never_repeated() {
        for text in [
            "mssql://sa:hunter2@db1",
            "mssql://sa:hun@ter2@db1",
            "mssql://sa:@db1",
            "mssql://sa@db1?password=hunter2",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, AddressError::Password, "{text}");
            assert!(error.to_string().contains("VAB_MSSQL_PASSWORD"));
            assert!(!format!("{error:?}{error}").contains("hun"));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        let says = |text: &str, part: &str| {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        };
        for text in [
            "",
            "mssql:",
            "mssql://",
            "mssql://@db",
            "mssql://a@",
            "mssql://d/a/b",
            "x://d",
        ] {
            says(text, "mssql://USER@HOST");
        }
        says("mssql://d:0", "not a TCP port");
        says("mssql://d:70000", "not a TCP port");
        says("mssql://[::1", "mssql://USER@HOST");
        says("mssql://d?encrypt=maybe", "encrypt=maybe");
        says("mssql://d?encrypt=yes&encrypt=no", "twice");
        says("mssql://d?timeout=3", "no setting");
        says("mssql://d?devices=memory", "pipe:DIR");
        says(
            "mssql://d?encrypt=no&trust=any",
            "nobody shows a certificate",
        );
        says("mssql://a%zz@d", "percent-encoded");
        says("mssql://a%ff@d", "percent-encoded");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(mssql://)?[a-z:/@?&=%\\[\\].0-9é]{0,40}") {
            let _ = parse(&text);
        }
    }
}
