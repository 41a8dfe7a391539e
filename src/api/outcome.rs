//! Outcomes: the meaning of LRS's response codes for a caller. An outcome is an answer, not an error.

/// Declares the outcomes of an operation: variant, string in JSON, and LRS's code if one stands for the outcome. The macro adds `Other` for
/// undocumented codes.
macro_rules! outcomes {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $json:literal $(<- $lrs:literal)?,)+ }) => {
        $crate::api::string_enum::string_enum! {
            $(#[$meta])*
            pub enum $name {
                $($(#[$variant_meta])* $variant = $json,)+
                /// An undocumented code. The answer states it in `lrsCode`.
                Other = "OTHER",
            }
        }

        impl $name {
            /// The outcomes that LRS has a code for: string in JSON and code.
            pub const LRS_CODES: &[(&str, &str)] = &[$($(($json, $lrs),)?)+];

            /// Returns the outcome that a code stands for.
            pub fn from_code(code: &$crate::lrs::response_codes::LrsCode) -> Self {
                match code {
                    $($(code if code.matches($lrs) => Self::$variant,)?)+
                    _ => Self::Other,
                }
            }
        }
    };
}
pub(crate) use outcomes;
