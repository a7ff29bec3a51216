//! The checks that a shared object passes before it may answer, and the error that names the one it did not pass.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

/// A check. Ids starting with `V-` are judged without running code of the plugin, `L-` while loading it,
/// `R-` of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The file or folder can be read and is not larger than 64 MiB.
    Readable,
    /// The file is a complete ELF file.
    Elf,
    /// Word size and processor are this machine's.
    Machine,
    /// It is a shared object.
    SharedObject,
    /// It exports the entry symbol.
    Entry,
    /// It has a descriptor section of at most 64 KiB that holds one JSON document.
    DescriptorSection,
    /// The descriptor has every field, with the right type.
    DescriptorSchema,
    /// The descriptor's `abi` is one that this host serves.
    Abi,
    /// The descriptor asks only for what this host serves.
    Supported,
    /// It needs no library but those of every machine with glibc, and this machine has them.
    Libraries,
    /// This machine's libraries have the versions that it was linked against.
    LibraryVersions,
    /// Every symbol that it leaves open is exported by a library that it names.
    Symbols,
    /// It names no folders to look for libraries in.
    SearchPath,
    /// Its code needs no change when it is loaded.
    TextRelocations,
    /// Its stack is not executable.
    ExecutableStack,
    /// The verified bytes can be copied to sealed memory.
    Sealed,
    /// The dynamic loader accepts it.
    Loadable,
    /// The entry function returns a table.
    TablePresent,
    /// The table says major version 1 and has the size of it.
    TableVersion,
    /// Every required function is set.
    TableFunctions,
    /// Capabilities agree with the functions that are set.
    Capabilities,
    /// No capability is set that a host must understand and this one does not.
    CapabilitiesKnown,
    /// The plugin allows loading into the service process.
    InProcess,
    /// The table's descriptor is the verified one.
    DescriptorEqual,
    /// No other file of the folder has its id.
    OneOfItsId,
    /// A process of its own can be started for it.
    Process,
    /// Its process lives after it was loaded.
    Crash,
    /// It is loaded within five seconds.
    LoadTime,
    /// The kernel offers the whole sandbox, where the operator asks for it.
    WholeSandbox,
    /// Address and token of a server can be read.
    Address,
    /// A server answers what it is.
    Answers,
}

/// Every check, in the order in which they are made.
pub(crate) const ALL: [Check; 31] = [
    Check::Readable,
    Check::Elf,
    Check::Machine,
    Check::SharedObject,
    Check::Entry,
    Check::DescriptorSection,
    Check::DescriptorSchema,
    Check::Supported,
    Check::Abi,
    Check::Libraries,
    Check::LibraryVersions,
    Check::Symbols,
    Check::SearchPath,
    Check::TextRelocations,
    Check::ExecutableStack,
    Check::Sealed,
    Check::Process,
    Check::WholeSandbox,
    Check::Loadable,
    Check::Crash,
    Check::LoadTime,
    Check::TablePresent,
    Check::TableVersion,
    Check::TableFunctions,
    Check::Capabilities,
    Check::CapabilitiesKnown,
    Check::InProcess,
    Check::DescriptorEqual,
    Check::OneOfItsId,
    Check::Address,
    Check::Answers,
];

impl Check {
    /// The check of an id.
    pub fn by_id(id: &str) -> Option<Self> {
        ALL.into_iter().find(|check| check.id() == id)
    }

    /// True: what failed it may pass it later, on the same machine. A process that ends while it loads may have lacked memory.
    pub const fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Sealed
                | Self::Loadable
                | Self::Process
                | Self::Crash
                | Self::LoadTime
                | Self::Answers
        )
    }

    /// Stable name, for catalogues and documentation.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Readable => "V-readable",
            Self::Elf => "V-elf",
            Self::Machine => "V-machine",
            Self::SharedObject => "V-shared-object",
            Self::Entry => "V-entry",
            Self::DescriptorSection => "V-descriptor",
            Self::DescriptorSchema => "V-descriptor-schema",
            Self::Abi => "V-abi",
            Self::Supported => "V-supported",
            Self::Libraries => "V-libraries",
            Self::LibraryVersions => "V-library-versions",
            Self::Symbols => "V-symbols",
            Self::SearchPath => "V-search-path",
            Self::TextRelocations => "V-text-relocations",
            Self::ExecutableStack => "V-executable-stack",
            Self::Sealed => "L-sealed",
            Self::Loadable => "L-load",
            Self::TablePresent => "L-table",
            Self::TableVersion => "L-version",
            Self::TableFunctions => "L-functions",
            Self::Capabilities => "L-caps",
            Self::CapabilitiesKnown => "L-caps-unknown",
            Self::InProcess => "L-isolated-only",
            Self::DescriptorEqual => "L-descriptor",
            Self::OneOfItsId => "L-one-of-its-id",
            Self::Process => "L-process",
            Self::Crash => "L-crash",
            Self::LoadTime => "L-time",
            Self::WholeSandbox => "L-sandbox",
            Self::Address => "R-address",
            Self::Answers => "R-answers",
        }
    }

    /// Why the check exists.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Readable => "a segmenter is read once, completely, before anything else",
            Self::Elf => "a segmenter is an ELF shared object",
            Self::Machine => "machine code runs on the processor that it was compiled for",
            Self::SharedObject => "programs and object files cannot be loaded",
            Self::Entry => {
                "the host enters a segmenter through seg_plugin_entry_v1 and nothing else"
            },
            Self::DescriptorSection => "a segmenter is judged by its descriptor before it runs",
            Self::DescriptorSchema => {
                "features, segments and configuration are taken from the descriptor"
            },
            Self::Abi => {
                "a host serves plugins of its own major version that need no newer minor version"
            },
            Self::Supported => "a host refuses what it would have to ignore",
            Self::Libraries => {
                "a segmenter runs wherever Sextant does, and brings along what is not there"
            },
            Self::LibraryVersions => {
                "a library that is older than the one it was linked against lacks what it calls"
            },
            Self::Symbols => "every symbol is bound when a segmenter is loaded, none later",
            Self::SearchPath => "a library from another folder could stand in for the system's own",
            Self::TextRelocations => "code that is written to cannot be protected",
            Self::ExecutableStack => {
                "an executable stack turns every overflow into code of somebody else"
            },
            Self::Sealed => {
                "the bytes that were verified are the bytes that are loaded, whatever happens to the file"
            },
            Self::Loadable => "every symbol is bound when a segmenter is loaded, none later",
            Self::TablePresent => "NULL means that the segmenter considers this host too old",
            Self::TableVersion => "a table of another size or major version would be read wrongly",
            Self::TableFunctions => "create, bind, segment and destroy are called without asking",
            Self::Capabilities => "a capability is a promise that its functions exist",
            Self::CapabilitiesKnown => {
                "bits 48 to 63 are kept for features that a host must understand"
            },
            Self::InProcess => {
                "the segmenter says that it must not share a process with the service"
            },
            Self::DescriptorEqual => "what was judged must be what runs",
            Self::Process => "a segmenter that is not trusted runs in a process of its own",
            Self::Crash => "a segmenter that crashes when it is loaded never answers",
            Self::LoadTime => "a segmenter is loaded again whenever its process is lost",
            Self::WholeSandbox => {
                "the operator runs no foreign code that the kernel does not confine"
            },
            Self::Address => "a server is asked at its address",
            Self::Answers => "a server says what it is before it is used",
            Self::OneOfItsId => {
                "which of two versions answers must not hang on the names of their files"
            },
        }
    }

    /// What the author or operator can do.
    pub const fn fix(self) -> &'static str {
        match self {
            Self::Readable => "check the path, its permissions and its size (at most 64 MiB)",
            Self::Elf => "give the compiled .so file, copied completely",
            Self::Machine => "compile the segmenter for the platform of this host",
            Self::SharedObject => "link with -shared -fPIC, or set crate-type = [\"cdylib\"]",
            Self::Entry => "define it with SEG_EXPORT in C, or call export_segmenter! in Rust",
            Self::DescriptorSection => {
                "put one JSON document of at most 64 KiB into section .segmenter.desc: SEG_DESCRIPTOR in C, \
                 export_segmenter! in Rust"
            },
            Self::DescriptorSchema => "correct the value at the pointer",
            Self::Abi => {
                "upgrade the host, or compile with its segmenter.h and say so in the descriptor's abi"
            },
            Self::Supported => "answer one segment or a score; let a server learn by itself",
            Self::Libraries => {
                "link it statically, or do without it; allowed are libc, libm, libgcc_s, libpthread, libdl, librt and \
                 libstdc++"
            },
            Self::LibraryVersions => {
                "compile on an older system, such as in a container of Debian 10 for glibc 2.28"
            },
            Self::Symbols => "link the object or library that defines it into the segmenter",
            Self::SearchPath => "link without -rpath",
            Self::TextRelocations => "compile every object with -fPIC",
            Self::ExecutableStack => "link with -z noexecstack",
            Self::Sealed => "allow memfd_create with executable memory, and mount /proc",
            Self::Loadable => {
                "install the library it needs, or link it statically; compile against a glibc that is not newer"
            },
            Self::TablePresent => "upgrade the host, or return the table",
            Self::TableVersion => {
                "set struct_size = sizeof(seg_plugin), abi_major = SEG_ABI_MAJOR, abi_minor = SEG_ABI_MINOR"
            },
            Self::TableFunctions => "set every function up to destroy",
            Self::Capabilities => "set the functions of the capability, or clear its bit",
            Self::CapabilitiesKnown => "upgrade the host, or clear the bit",
            Self::InProcess => "run it outside of this process, or clear SEG_CAP_ISOLATED_ONLY",
            Self::DescriptorEqual => {
                "let descriptor_json point to the descriptor section, and descriptor_len be its length without NUL"
            },
            Self::OneOfItsId => "remove one of the two files",
            Self::Address => "write https://HOST:PORT, or http://HOST:PORT",
            Self::Answers => {
                "start the server, and let it take calls of sextant.segmenter.v1 from here with this token; with https, its certificate has to be for this name, by an authority of this machine or of SSL_CERT_FILE"
            },
            Self::Process => {
                "see what the system says; memory, processes or open files may be used up"
            },
            Self::Crash => {
                "run `sextant plugin check` on it; initialisers, and the entry function, may do nothing that the sandbox refuses"
            },
            Self::LoadTime => "let initialisers and the entry function do next to nothing",
            Self::WholeSandbox => {
                "use a kernel with Landlock and seccomp, or allow a sandbox in parts in the configuration"
            },
        }
    }
}

/// A shared object that did not pass a check.
#[derive(Debug)]
pub struct LoadError {
    /// The file.
    path: PathBuf,
    finding: Finding,
}

impl LoadError {
    pub(crate) fn new(path: &Path, finding: Finding) -> Self {
        Self {
            path: path.to_owned(),
            finding,
        }
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The check that failed.
    pub const fn check(&self) -> Check {
        self.finding.check
    }

    /// Stable name of the check, for example `V-entry`.
    pub const fn check_id(&self) -> &'static str {
        self.check().id()
    }

    /// What was found.
    pub fn what(&self) -> &str {
        &self.finding.what
    }

    /// What was found, and what caused it.
    pub fn told(&self) -> String {
        self.finding.told()
    }

    /// Why the check exists.
    pub const fn why(&self) -> &'static str {
        self.check().why()
    }

    /// What the author or operator can do.
    pub const fn fix(&self) -> &'static str {
        self.check().fix()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, id, what, why, fix) = (
            self.path.display(),
            self.check_id(),
            self.what(),
            self.why(),
            self.fix(),
        );
        write!(
            f,
            "segmenter \"{path}\" failed check {id}: {what}; {why}; to fix it: {fix}"
        )
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.finding.source.as_deref();
        source.map(|source| source as _)
    }
}

/// What a check found, before the file's path is known.
#[derive(Debug)]
pub(crate) struct Finding {
    check: Check,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Finding {
    pub(crate) fn new(check: Check, what: impl Into<String>) -> Self {
        Self {
            check,
            what: what.into(),
            source: None,
        }
    }

    pub(crate) const fn check(&self) -> Check {
        self.check
    }

    /// What was found, and why, for another process.
    pub(crate) fn told(&self) -> String {
        let why = self.source.as_ref().map(|source| format!(": {source}"));
        format!("{}{}", self.what, why.unwrap_or_default())
    }

    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}
