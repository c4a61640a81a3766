//! A batch as the values that a graph's inputs are given.

use std::borrow::Cow;

use ort::session::SessionInputValue;
use ort::value::{PrimitiveTensorElementType, Tensor, TensorRef};

use crate::graph::roles::{Element, Input, Role};
use crate::provider::ProviderError;
use crate::tokenize::TokenBatch;

/// The value of an input for a batch of this shape.
pub(super) fn value<'a>(
    input: &Input,
    task_id: u32,
    batch: &'a TokenBatch<i64>,
    shape: [usize; 2],
) -> Result<SessionInputValue<'a>, ProviderError> {
    input.check_shape(shape[0], shape[1])?;
    let integers = |numbers: Cow<'a, [i64]>, axes: Vec<usize>| match (&input.element, numbers) {
        // Vocabularies and positions are far below 2^31.
        (Element::Int32, numbers) => owned(numbers.iter().map(|number| *number as i32).collect(), axes),
        (_, Cow::Owned(numbers)) => owned(numbers, axes),
        (_, Cow::Borrowed(numbers)) => {
            TensorRef::from_array_view((axes, numbers)).map(SessionInputValue::from).map_err(embed_error)
        }
    };
    let [texts, sequence] = shape;
    let square = shape.to_vec();
    match input.role {
        Role::InputIds => integers(Cow::Borrowed(&batch.ids), square),
        Role::AttentionMask => integers(Cow::Borrowed(&batch.attention_mask), square),
        Role::TokenTypeIds => integers(Cow::Borrowed(&batch.type_ids), square),
        Role::PositionIds => {
            let row = 0..i64::try_from(sequence).unwrap_or(i64::MAX);
            integers(Cow::Owned((0..texts).flat_map(|_| row.clone()).collect()), square)
        }
        Role::TaskId => {
            let axes: Vec<usize> = input.axes.iter().map(|axis| axis.unwrap_or(texts)).collect();
            integers(Cow::Owned(vec![i64::from(task_id); axes.iter().product()]), axes)
        }
        Role::PastKeyValues => {
            let free = |(at, axis): (usize, &Option<usize>)| axis.unwrap_or(if at == 0 { texts } else { 0 });
            let axes: Vec<usize> = input.axes.iter().enumerate().map(free).collect();
            let count = axes.iter().product();
            match input.element {
                Element::Float16 => owned(vec![half::f16::ZERO; count], axes),
                _ => owned(vec![0.0_f32; count], axes),
            }
        }
    }
}

fn owned<T>(numbers: Vec<T>, axes: Vec<usize>) -> Result<SessionInputValue<'static>, ProviderError>
where
    T: PrimitiveTensorElementType + Clone + std::fmt::Debug + 'static,
{
    Tensor::from_array((axes, numbers)).map(SessionInputValue::from).map_err(embed_error)
}

/// What the runtime said of a request.
pub(super) fn embed_error(error: ort::Error) -> ProviderError {
    ProviderError::Embed(error.message().to_owned())
}
