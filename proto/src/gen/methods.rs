// This file is generated from the .proto files.
/// Methods of sextant.ingestion.v1.AccountService.
pub const INGESTION_ACCOUNT_SERVICE: &[&str] = &[
    "GetAccount",
    "GetHierarchy",
    "ListAccounts",
    "ListInvoices",
    "ListPayments",
    "ListTimeline",
];
/// Methods of sextant.ingestion.v1.TenantService.
pub const INGESTION_TENANT_SERVICE: &[&str] = &[
    "CreateTenant",
    "GetTenant",
    "ListTenants",
    "StartImport",
    "CompleteImport",
    "AdvanceClock",
];
/// Methods of sextant.ingestion.v1.AccessService.
pub const INGESTION_ACCESS_SERVICE: &[&str] = &[
    "CreateKey",
    "ListKeys",
    "RevokeKey",
    "ResolveKey",
];
/// Methods of sextant.ingestion.v1.FeedService.
pub const INGESTION_FEED_SERVICE: &[&str] = &[
    "WatchHeads",
    "ReadFacts",
];
/// Methods of sextant.ingestion.v1.IngestionService.
pub const INGESTION_INGESTION_SERVICE: &[&str] = &[
    "Ingest",
    "IngestBatch",
    "ListRejections",
    "ReplayRejections",
    "ListHeld",
];
/// Methods of sextant.ingestion.v1.SourceService.
pub const INGESTION_SOURCE_SERVICE: &[&str] = &[
    "ListSources",
    "ListEventTypes",
];
/// Methods of sextant.metrics.v1.MetricsService.
pub const METRICS_METRICS_SERVICE: &[&str] = &[
    "GetRevenue",
    "GetWaterfall",
    "GetChurn",
    "ListMovements",
];
/// Methods of sextant.scoring.v1.FeedService.
pub const SCORING_FEED_SERVICE: &[&str] = &[
    "WatchHeads",
    "ReadEvaluations",
    "ReadColumns",
];
/// Methods of sextant.scoring.v1.ScoringService.
pub const SCORING_SCORING_SERVICE: &[&str] = &[
    "GetFeatures",
    "ListFeatures",
    "GetScores",
    "ListFeatureDefinitions",
    "ListModels",
];
/// Methods of sextant.scoring.v1.ClockService.
pub const SCORING_CLOCK_SERVICE: &[&str] = &[
    "GetClock",
];
/// Methods of sextant.segmentation.v1.FeedService.
pub const SEGMENTATION_FEED_SERVICE: &[&str] = &[
    "WatchHeads",
    "ReadMoves",
];
/// Methods of sextant.segmentation.v1.SegmentationService.
pub const SEGMENTATION_SEGMENTATION_SERVICE: &[&str] = &[
    "ListSegmenters",
    "CreateSegmentation",
    "ListSegmentations",
    "ListSegments",
    "GetMembership",
    "ListMemberships",
    "ListMembers",
    "ListTransitions",
    "WatchTransitions",
];
/// Methods of sextant.segmentation.v1.SegmenterService.
pub const SEGMENTATION_SEGMENTER_SERVICE: &[&str] = &[
    "UploadSegmenter",
    "RegisterSegmenter",
    "GetSegmenter",
    "ApproveSegmenter",
    "QuarantineSegmenter",
    "ReleaseSegmenter",
    "RetireSegmenter",
    "ProposeRevision",
    "GetRevision",
    "ListRevisions",
    "ActivateRevision",
    "RollBackRevision",
    "ListSegmenterEvents",
    "ListSegmenterLines",
];
/// Methods of sextant.segmenter.v1.EvaluationService.
pub const SEGMENTER_EVALUATION_SERVICE: &[&str] = &[
    "Describe",
    "Configure",
    "LoadState",
    "SaveState",
    "Fit",
    "Prepare",
    "Segment",
    "Explain",
];
