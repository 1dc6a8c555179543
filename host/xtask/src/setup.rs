//! Makes everything that a build or a run needs.

use anyhow::Result;

use crate::python::{self, Venv};
use crate::wasm::{self, Choice};
use crate::{blas, debian, mlx, model};

/// On macOS the build script of `mlx-sys` makes MLX itself, with `CMake`.
const BUILDS_MLX: bool = cfg!(target_os = "macos");

/// Fetches and builds what is missing.
pub(crate) fn run(choice: Choice, reference: bool) -> Result<()> {
    if !BUILDS_MLX {
        debian::setup()?;
    }
    let venv = Venv::ensure()?;
    let (why, product) = if BUILDS_MLX {
        ("CMake, which builds MLX", python::programs().join("cmake"))
    } else {
        let product = mlx::runtime(venv.site_packages());
        ("MLX, and what builds its C interface", product)
    };
    venv.install("build", why, &product)?;
    if reference {
        let product = venv.site_packages().join("mlx_lm");
        venv.install("reference", "the tests compare Deja with them", &product)?;
    }
    if !BUILDS_MLX {
        blas::setup(venv.site_packages())?;
        mlx::setup(venv.site_packages())?;
    }
    model::setup()?;
    wasm::ensure(choice)?;
    Ok(())
}
