//! The public contract of Sextant as Rust types, clients and servers, generated from the `.proto` files beside this crate.

mod encoded;

/// Types that every service shares.
pub mod common {
    /// Version 1.
    pub mod v1 {
        include!("gen/sextant.common.v1.rs");
    }
}
/// Records in, accounts and tenants out.
pub mod ingestion {
    /// Version 1.
    pub mod v1 {
        include!("gen/sextant.ingestion.v1.rs");
    }
}
/// Features and scores.
pub mod scoring {
    /// Version 1.
    pub mod v1 {
        include!("gen/sextant.scoring.v1.rs");
    }
}
/// Segments and who is in them.
pub mod segmentation {
    /// Version 1.
    pub mod v1 {
        pub use crate::encoded::GetMembershipResponse;

        include!("gen/sextant.segmentation.v1.rs");
    }
}
/// Segmenters in other processes.
pub mod segmenter {
    /// Version 1.
    pub mod v1 {
        include!("gen/sextant.segmenter.v1.rs");
    }
}
/// Business numbers.
pub mod metrics {
    /// Version 1.
    pub mod v1 {
        include!("gen/sextant.metrics.v1.rs");
    }
}
/// Names of the methods of every service.
pub mod methods {
    include!("gen/methods.rs");
}
/// The compiled contract, an encoded `google.protobuf.FileDescriptorSet` without comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include!("gen/descriptor_set.rs");
