//! Callers who try to see, or to displace, what belongs to others.
