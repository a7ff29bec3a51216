//! The two macros of an author.

/// Declares the columns that a segmenter reads, as a struct of typed views.
///
/// Each field names its type ([`I64`](crate::I64), [`F64`](crate::F64), [`Bool`](crate::Bool), [`Text`](crate::Text),
/// [`Timestamp`](crate::Timestamp), [`List`](crate::List) or [`Choice<T>`](crate::Choice)) and its feature. The descriptor's `requires` and
/// `optional` must contain the same features; `bind` compares them by name and type and refuses a difference.
///
/// ```
/// sextant_segmenter::features! {
///     /// What the model looks at.
///     pub struct Account {
///         seats: I64 = "revenue.seats",
///         /// Industry, as the account's record says it.
///         industry: Text = "firmo.industry",
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! features {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $kind:ident $(<$choice:ty>)? = $feature:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis struct $name<'a> {
            $($(#[$field_meta])* $vis $field: $crate::$kind<'a $(, $choice)?>,)+
        }

        impl<'a> $crate::Features<'a> for $name<'a> {
            const COLUMNS: &'static [$crate::ColumnSpec] = &[
                $($crate::ColumnSpec {
                    feature: $feature,
                    kind: <$crate::$kind<'a $(, $choice)?> as $crate::Column<'a>>::KIND,
                },)+
            ];

            fn open(columns: &mut $crate::Columns<'a>) -> ::std::result::Result<Self, $crate::InputError> {
                Ok(Self { $($field: columns.column()?,)+ })
            }
        }
    };
}

/// Makes the crate a segmenter: emits the exported symbol, the table and the descriptor section. Once per crate, with
/// `crate-type = ["cdylib", "rlib"]`. One that implements [`Fit`](crate::Fit) is exported with `export_segmenter!(Model, fit)`.
#[macro_export]
macro_rules! export_segmenter {
    ($segmenter:ty) => {
        $crate::export_segmenter!($segmenter, with table);
    };
    ($segmenter:ty, fit) => {
        $crate::export_segmenter!($segmenter, with fitted_table);
    };
    ($segmenter:ty, with $table:ident) => {
        #[cfg(panic = "abort")]
        compile_error!("a segmenter needs panic = \"unwind\", so that a panic becomes an error and not the end of the host");

        const _: () = {
            const TEXT: &str = <$segmenter as $crate::Segmenter>::DESCRIPTOR;

            #[used]
            #[unsafe(link_section = ".segmenter.desc")]
            static DESCRIPTOR: [u8; TEXT.len()] = $crate::descriptor_bytes(TEXT);

            static TABLE: $crate::abi::SegPlugin = $crate::$table::<$segmenter>(&DESCRIPTOR);

            #[unsafe(no_mangle)]
            extern "C" fn seg_plugin_entry_v1(_host_abi_minor: u16) -> *const $crate::abi::SegPlugin {
                $crate::record_panic_locations();
                &TABLE
            }
        };
    };
}
