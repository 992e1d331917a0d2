//! Reads a payment file back.

use quick_xml::Reader;
use quick_xml::events::Event;

/// All elements with text, in order: the names of the element and its parents joined by `/`,
/// without the two outermost, and the text.
pub fn leaves(bytes: &[u8]) -> Vec<(String, String)> {
    let mut reader = Reader::from_reader(bytes);
    let mut path: Vec<String> = Vec::new();
    let mut text = String::new();
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_owned());
                text.clear();
            }
            Event::Text(piece) => text.push_str(&piece),
            Event::GeneralRef(reference) => {
                let entity = quick_xml::escape::resolve_predefined_entity(&reference);
                text.push_str(entity.expect("one of the five that XML knows"));
            }
            Event::End(_) => {
                if !text.trim().is_empty() {
                    found.push((path[2..].join("/"), std::mem::take(&mut text)));
                }
                text.clear();
                path.pop();
            }
            Event::Eof => return found,
            Event::Decl(_) => {}
            foreign @ (Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::DocType(_)) => panic!("not written by us: {foreign:?}"),
        }
    }
}
