//! Whether a component is signed by whom the contract says: a minisign signature, checked before anything of the component
//! is read. Only prehashed signatures count, which is what minisign makes.

use minisign_verify::{Error, PublicKey, Signature};

/// Why a component does not count as signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The contract's key is none.
    #[error("the public key `{0}` is not a minisign key")]
    Key(String),
    /// The file is no signature.
    #[error("it is not a minisign signature, or is cut off")]
    NoSignature,
    /// It is one of the kind that is not accepted.
    #[error("it is a legacy signature, which covers the file without its hash")]
    Legacy,
    /// It was made with another key.
    #[error("it was made with another key than `{0}`")]
    AnotherKey(String),
    /// It is for another file, or was changed.
    #[error("it is not the signature of this file by the key `{0}`: one of the two was changed")]
    AnotherFile(String),
}

impl SignatureError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Key(_) => "it is the second line of the `minisign.pub` that `minisign -G` wrote",
            Self::NoSignature | Self::Legacy => {
                "sign again: `minisign -S -m COMPONENT` (before minisign 0.10 with `-H`) writes `COMPONENT.minisig`"
            }
            Self::AnotherKey(_) => {
                "sign it with the key that the contract names, or name the key that signed it"
            }
            Self::AnotherFile(_) => {
                "deploy the component that was signed, with its own signature; if it was built anew, sign it anew"
            }
        }
    }
}

/// Checks the signature of a component.
pub fn verify(component: &[u8], signature: &str, public_key: &str) -> Result<(), SignatureError> {
    let key = || public_key.to_owned();
    let public = PublicKey::from_base64(public_key).map_err(|_| SignatureError::Key(key()))?;
    let signature = Signature::decode(signature).map_err(|_| SignatureError::NoSignature)?;
    public.verify(component, &signature, false).map_err(|error| match error {
        Error::UnexpectedKeyId => SignatureError::AnotherKey(key()),
        Error::UnexpectedAlgorithm | Error::UnsupportedAlgorithm | Error::UnsupportedLegacyMode => {
            SignatureError::Legacy
        }
        Error::InvalidEncoding | Error::InvalidSignature | Error::IoError(_) => {
            SignatureError::AnotherFile(key())
        }
    })
}
