//! What any message comes to: those of the protocol come back as they were, others are refused in bounded space.

mod limits;
mod round_trip;
mod values;
