//! Has the binary built anew when the SDK changes, of which it has a copy.

fn main() {
    println!("cargo::rerun-if-changed=../../plugins/sdk");
}
