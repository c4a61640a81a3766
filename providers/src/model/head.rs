//! A recipe's head: the vectors of a text's tokens become the text's, module by module, in the recipe's order.
//! Knows no runtime; padding is at the right, so a count of tokens says all that a mask would.

pub(crate) mod numbers;
mod pool;

use std::path::Path;

use self::numbers::{Matrix, NumbersError};
pub use self::pool::TokenVectors;
use self::pool::{Pool, normalize_rows};
use super::recipe::{Activation, Dense, Module, Recipe, RecipeError};

/// What is added to a variance before its root is taken, as torch's `LayerNorm` does.
const LAYER_NORM_EPSILON: f32 = 1e-5;

/// The modules of a recipe's head, known to fit one another and the vectors that come out of the model.
#[derive(Clone, Debug)]
pub struct Head {
    /// `None` where the model gives a vector for each text.
    pool: Option<Pool>,
    /// Those after the pooling.
    steps: Vec<Step>,
    dimensions: u32,
}

/// A module with its numbers.
#[derive(Clone, Debug)]
enum Step {
    Dense { weight: Matrix, bias: Option<Vec<f32>>, activation: Activation, residual: Residual },
    LayerNorm { weight: Vec<f32>, bias: Vec<f32> },
    Truncate(usize),
    Normalize,
}

/// What is added to what comes out of a matrix.
#[derive(Clone, Debug)]
enum Residual {
    None,
    Input,
    Projected(Matrix),
}

/// Why a head cannot be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum HeadError {
    /// Its modules do not fit together.
    Recipe(#[from] RecipeError),
    /// The numbers of a module are not there.
    Numbers(#[from] NumbersError),
}

impl Head {
    /// The head of a recipe, for token vectors of this length. The numbers of its modules are read from files below `folder`.
    ///
    /// # Errors
    /// When the recipe cannot be followed, a module takes other vectors than the one before it gives, or a file does not have what
    /// a module needs.
    pub fn new(recipe: &Recipe, token_dimensions: u32, folder: &Path) -> Result<Self, HeadError> {
        let dimensions = recipe.dimensions(token_dimensions)?;
        let Some((Module::Pooling { mode, include_prompt }, modules)) = recipe.head.split_first() else {
            unreachable!("a recipe that was checked begins with a pooling: this is a bug")
        };
        let pool = Pool { modes: mode.0.clone(), include_prompt: *include_prompt, prompt_tokens: 0 };
        let steps = modules.iter().map(|module| Step::read(module, folder)).collect::<Result<_, _>>()?;
        Ok(Self { pool: Some(pool), steps, dimensions })
    }

    /// What is left of the head for a graph that gives a vector of this length for each text.
    ///
    /// # Errors
    /// When the recipe cannot be followed, or keeps more numbers than there are.
    pub fn of_texts(recipe: &Recipe, text_dimensions: u32) -> Result<Self, HeadError> {
        recipe.check()?;
        let (inside, left) = recipe.head.split_at(recipe.modules_within_graph());
        if let Some(Module::Dense(Dense { dimensions, .. }) | Module::LayerNorm { dimensions, .. }) =
            inside.last()
            && *dimensions != text_dimensions
            && !left.contains(&Module::Truncate { dimensions: text_dimensions })
        {
            return Err(RecipeError(format!(
                "the graph's vectors have {text_dimensions} numbers, and its modules give {dimensions}"
            ))
            .into());
        }
        let mut dimensions = text_dimensions;
        let mut steps = Vec::new();
        for module in left {
            if let Module::Truncate { dimensions: kept } = module {
                if *kept > dimensions {
                    return Err(RecipeError(format!(
                        "it keeps {kept} numbers of a vector that has {dimensions}; between 1 and {dimensions} are possible"
                    ))
                    .into());
                }
                dimensions = *kept;
            }
            steps.extend(Step::without_numbers(module));
        }
        Ok(Self { pool: None, steps, dimensions })
    }

    /// The head for texts that begin with so many tokens of a prompt.
    #[must_use]
    pub fn with_prompt_tokens(mut self, prompt_tokens: u32) -> Self {
        if let Some(pool) = &mut self.pool {
            pool.prompt_tokens = prompt_tokens;
        }
        self
    }

    /// The length of a text's vector.
    #[must_use]
    pub fn dimensions(&self) -> u32 {
        self.dimensions
    }

    /// The vector of each text, row-major `[texts, dimensions]`. With `normalize` it has length one, whatever the last module is.
    ///
    /// A text of no tokens has the zero vector if its recipe has no bias. Where the model gives a vector for each text, `sequence` is 1.
    #[must_use]
    pub fn apply(&self, tokens: TokenVectors<'_>, token_counts: &[u32], normalize: bool) -> Vec<f32> {
        let (mut vectors, mut dimensions) = match &self.pool {
            Some(pool) => (pool.apply(tokens, token_counts), pool.modes.len() * tokens.dimensions),
            None => (tokens.values[..token_counts.len() * tokens.dimensions].to_vec(), tokens.dimensions),
        };
        for step in &self.steps {
            (vectors, dimensions) = step.apply(vectors, dimensions);
        }
        // A second time would move the last digits, and the usual model ends in it.
        if normalize && !matches!(self.steps.last(), Some(Step::Normalize)) {
            normalize_rows(&mut vectors, dimensions);
        }
        vectors
    }
}

impl Step {
    fn read(module: &Module, folder: &Path) -> Result<Self, NumbersError> {
        match module {
            Module::Dense(dense) => Self::read_dense(dense, folder),
            Module::LayerNorm { file, dimensions } => {
                let numbers = numbers::File::open(folder, file)?;
                Ok(Self::LayerNorm {
                    weight: numbers.vector("norm.weight", *dimensions)?,
                    bias: numbers.vector("norm.bias", *dimensions)?,
                })
            }
            other => Ok(Self::without_numbers(other).unwrap_or_else(|| {
                unreachable!("a recipe has one pooling, its first module: this is a bug")
            })),
        }
    }

    fn read_dense(dense: &Dense, folder: &Path) -> Result<Self, NumbersError> {
        let Dense { file, inputs, dimensions, activation, bias, residual } = dense;
        let numbers = numbers::File::open(folder, file)?;
        Ok(Self::Dense {
            weight: numbers.matrix("linear.weight", *dimensions, *inputs)?,
            bias: if *bias { Some(numbers.vector("linear.bias", *dimensions)?) } else { None },
            activation: *activation,
            residual: match residual {
                false => Residual::None,
                true if inputs == dimensions => Residual::Input,
                true => Residual::Projected(numbers.matrix("residual.weight", *dimensions, *inputs)?),
            },
        })
    }

    /// A module that is all there is to it.
    fn without_numbers(module: &Module) -> Option<Self> {
        match module {
            Module::Truncate { dimensions } => Some(Self::Truncate(*dimensions as usize)),
            Module::Normalize => Some(Self::Normalize),
            Module::Pooling { .. } | Module::Dense(_) | Module::LayerNorm { .. } => None,
        }
    }

    /// The rows after it, and how long each is.
    fn apply(&self, mut rows: Vec<f32>, dimensions: usize) -> (Vec<f32>, usize) {
        match self {
            Self::Dense { weight, bias, activation, residual } => {
                let out = rows.chunks_exact(dimensions).flat_map(|row| {
                    let mut out = weight.times(row);
                    if let Some(bias) = bias {
                        add(&mut out, bias);
                    }
                    out.iter_mut().for_each(|number| *number = activated(*activation, *number));
                    match residual {
                        Residual::None => {}
                        Residual::Input => add(&mut out, row),
                        Residual::Projected(projection) => add(&mut out, &projection.times(row)),
                    }
                    out
                });
                (out.collect(), weight.rows())
            }
            Self::LayerNorm { weight, bias } => {
                rows.chunks_exact_mut(dimensions).for_each(|row| layer_norm(row, weight, bias));
                (rows, dimensions)
            }
            Self::Truncate(kept) if *kept == dimensions => (rows, dimensions),
            Self::Truncate(kept) => {
                let cut = rows.chunks_exact(dimensions).flat_map(|row| &row[..*kept]).copied().collect();
                (cut, *kept)
            }
            Self::Normalize => {
                normalize_rows(&mut rows, dimensions);
                (rows, dimensions)
            }
        }
    }
}

fn add(to: &mut [f32], what: &[f32]) {
    for (sum, number) in to.iter_mut().zip(what) {
        *sum += number;
    }
}

fn activated(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => x,
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.max(0.0),
        Activation::Gelu => 0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

/// The variance is that of all numbers, not an estimate from a sample, as in torch.
fn layer_norm(row: &mut [f32], weight: &[f32], bias: &[f32]) {
    let count = row.len() as f32;
    let mean = row.iter().sum::<f32>() / count;
    let variance = row.iter().map(|number| (number - mean).powi(2)).sum::<f32>() / count;
    let scale = (variance + LAYER_NORM_EPSILON).sqrt().recip();
    for ((number, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
        *number = (*number - mean) * scale * weight + bias;
    }
}

#[cfg(test)]
mod tests;
