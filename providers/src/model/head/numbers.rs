//! The numbers of a module, out of a safetensors file, and what is computed with them.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

/// A module's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct NumbersError {
    path: PathBuf,
    why: String,
}

/// A file of tensors.
pub(super) struct File {
    path: PathBuf,
    content: Vec<u8>,
}

/// A matrix, row-major.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    values: Vec<f32>,
    columns: usize,
}

impl File {
    pub(super) fn open(folder: &Path, name: &str) -> Result<Self, NumbersError> {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(content) => Ok(Self { path, content }),
            Err(error) => Err(NumbersError { path, why: format!("it cannot be read: {error}") }),
        }
    }

    pub(super) fn matrix(&self, name: &str, rows: u32, columns: u32) -> Result<Matrix, NumbersError> {
        let (rows, columns) = (rows as usize, columns as usize);
        Ok(Matrix { values: self.tensor(name, &[rows, columns])?, columns })
    }

    pub(super) fn vector(&self, name: &str, length: u32) -> Result<Vec<f32>, NumbersError> {
        self.tensor(name, &[length as usize])
    }

    /// The numbers of a tensor that must have this shape.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, NumbersError> {
        let fault = |why: String| NumbersError { path: self.path.clone(), why };
        let file = SafeTensors::deserialize(&self.content)
            .map_err(|error| fault(format!("it is not a safetensors file: {error}")))?;
        let tensor = file.tensor(name).map_err(|_| {
            let mut names = file.names();
            names.sort_unstable();
            fault(format!("it has no tensor `{name}`; it has {}", names.join(", ")))
        })?;
        if tensor.shape() != shape {
            let found = tensor.shape();
            return Err(fault(format!("its tensor `{name}` has the shape {found:?}, expected {shape:?}")));
        }
        as_f32(tensor.dtype(), tensor.data()).ok_or_else(|| {
            let found = tensor.dtype();
            fault(format!("its tensor `{name}` has numbers of type {found}, expected F32, F16 or BF16"))
        })
    }
}

/// Little-endian numbers of a type that fits into single precision.
pub(crate) fn as_f32(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    let halves = || data.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    Some(match dtype {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => halves().map(|bits| half::f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => halves().map(|bits| half::bf16::from_bits(bits).to_f32()).collect(),
        _ => return None,
    })
}

impl Matrix {
    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// The product with a column of numbers.
    pub(super) fn times(&self, column: &[f32]) -> Vec<f32> {
        self.values.chunks_exact(self.columns).map(|row| dot(row, column)).collect()
    }
}

/// Eight sums side by side: one running sum could not be vectorized, because floating-point addition is not associative
/// and the compiler may not regroup it.
pub(super) fn dot(one: &[f32], other: &[f32]) -> f32 {
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (one, other) in ones.iter().zip(others) {
        for at in 0..8 {
            sums[at] += one[at] * other[at];
        }
    }
    sums.iter().sum::<f32>() + one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum::<f32>()
}
