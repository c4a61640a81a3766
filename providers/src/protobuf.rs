//! As much of protobuf as ONNX files need: the fields of a message that have a length. Knows no message.

/// The fields of a protobuf message that have a length, by number; the others are skipped. `None` for what is no message.
pub(crate) fn fields(mut message: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = number(&mut message)?;
        let length = match key & 7 {
            0 => {
                number(&mut message)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (content, rest) = message.split_at_checked(length)?;
        message = rest;
        if key & 7 == 2 {
            found.push((key >> 3, content));
        }
    }
    Some(found)
}

/// A number of protobuf's: seven bits a byte, the lowest first.
fn number(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_a_length_are_found_and_numbers_are_skipped() {
        // Field 1 is the number 300, field 2 the text "ab", field 3 four bytes, field 2 an empty text.
        let message = [0x08, 0xac, 0x02, 0x12, 2, b'a', b'b', 0x1d, 1, 2, 3, 4, 0x12, 0];
        assert_eq!(fields(&message), Some(vec![(2, &b"ab"[..]), (2, &b""[..])]));
        assert_eq!(fields(&message[..6]), None, "cut short");
        assert_eq!(fields(&[0x0f]), None, "there is no wire type 7");
    }
}
