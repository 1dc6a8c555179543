//! Recorded traffic: a format of our own, its recorder, and readers of that and of others.
