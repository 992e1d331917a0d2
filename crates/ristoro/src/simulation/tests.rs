//! What people and programs see of a simulation, whole.
