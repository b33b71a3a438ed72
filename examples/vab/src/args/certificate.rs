use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct CertificateArguments {
    #[command(subcommand)]
    pub command: CertificateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Make an authority, and a certificate for the server and for its sources.
    New(NewCertificateArguments),
}

#[derive(Debug, Args)]
pub(crate) struct NewCertificateArguments {
    /// The folder that receives the files; nothing in it is replaced.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// A name or address under which sources reach the server (repeat for more).
    #[arg(long = "name", value_name = "HOST")]
    pub names: Vec<String>,
    /// Days until the certificates of server and sources end.
    #[arg(long, value_name = "N", default_value_t = 825, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
}
