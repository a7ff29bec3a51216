//! Numbers and names of the header.

/// Major version of the contract; it is part of [`ENTRY_SYMBOL`].
pub const ABI_MAJOR: u16 = 1;
/// Minor version: grows when a field or an optional function is appended.
pub const ABI_MINOR: u16 = 0;
/// The one symbol that a plugin exports.
pub const ENTRY_SYMBOL: &str = "seg_plugin_entry_v1";
/// The ELF section that holds the descriptor.
pub const DESCRIPTOR_SECTION: &str = ".segmenter.desc";
/// Upper bound of a descriptor, in bytes.
pub const DESCRIPTOR_MAX_BYTES: usize = 64 * 1024;

/// `ARROW_FLAG_NULLABLE` of the Arrow C Data Interface: the column may carry nulls.
pub const ARROW_FLAG_NULLABLE: i64 = 2;

/// Answer of a row: judged, and in none of the segments.
pub const SEG_NO_SEGMENT: u16 = 0xFFFF;
/// Answer of a row: not judged, because it lacks the data that the model needs.
pub const SEG_ABSTAIN: u16 = 0xFFFE;

/// Result of every function of the table. An unknown code is read as [`SEG_E_INTERNAL`].
pub type SegStatus = i32;
/// The call did what it promises.
pub const SEG_OK: SegStatus = 0;
/// `create`: valid JSON, useless values.
pub const SEG_E_INVALID_CONFIG: SegStatus = 1;
/// The batch or its schema is not what the descriptor asks for.
pub const SEG_E_INVALID_INPUT: SegStatus = 2;
/// The model needs a state and has none.
pub const SEG_E_NOT_FITTED: SegStatus = 3;
/// The cancel flag was raised.
pub const SEG_E_CANCELLED: SegStatus = 4;
/// The deadline passed.
pub const SEG_E_DEADLINE: SegStatus = 5;
/// Out of memory, or over a limit.
pub const SEG_E_RESOURCE: SegStatus = 6;
/// The plugin does not do this.
pub const SEG_E_UNSUPPORTED: SegStatus = 7;
/// `state_load`: not this plugin's bytes, or too old.
pub const SEG_E_STATE: SegStatus = 8;
/// A panic or exception was caught; the instance is poisoned.
pub const SEG_E_PANIC: SegStatus = 9;
/// Anything else; the instance is poisoned.
pub const SEG_E_INTERNAL: SegStatus = 10;

/// Flag of an error record: the same call may succeed later.
pub const SEG_ERROR_RETRYABLE: u32 = 1;

/// The five fit and state functions are set.
pub const SEG_CAP_FIT: u64 = 1 << 0;
/// `explain` is set.
pub const SEG_CAP_EXPLAIN: u64 = 1 << 1;
/// `segment` and `explain` may run concurrently on one instance.
pub const SEG_CAP_THREAD_SAFE: u64 = 1 << 2;
/// Same config, state, `as_of`, seed and rows give the same bytes.
pub const SEG_CAP_DETERMINISTIC: u64 = 1 << 3;
/// A row's result does not depend on other rows, so batches may be split.
pub const SEG_CAP_ROW_INDEPENDENT: u64 = 1 << 4;
/// Never to be loaded into the service process.
pub const SEG_CAP_ISOLATED_ONLY: u64 = 1 << 5;
/// Bits 48 to 63: a host that does not know one of them refuses the plugin.
pub const SEG_CAP_MUST_UNDERSTAND: u64 = 0xFFFF << 48;

/// Level of a log line.
pub const SEG_LOG_TRACE: i32 = 0;
/// Level of a log line.
pub const SEG_LOG_DEBUG: i32 = 1;
/// Level of a log line.
pub const SEG_LOG_INFO: i32 = 2;
/// Level of a log line.
pub const SEG_LOG_WARN: i32 = 3;
/// Level of a log line.
pub const SEG_LOG_ERROR: i32 = 4;
/// Kind of a measurement: a sum of increments.
pub const SEG_METRIC_COUNTER: i32 = 0;
/// Kind of a measurement: the present level.
pub const SEG_METRIC_GAUGE: i32 = 1;
/// Kind of a measurement: one observation of a distribution.
pub const SEG_METRIC_HISTOGRAM: i32 = 2;
