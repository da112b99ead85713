//! The whole policy as a table.
