//! Lets the binary find `libmlx.so`, whose place `cargo xtask setup` writes to `.cargo/mlx.toml`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folders = std::env::var("DEP_MLX_RPATH").unwrap_or_default();
    for folder in folders.split(':').filter(|folder| !folder.is_empty()) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
