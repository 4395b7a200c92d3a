//! Plans that differ from the best in kind.
