// What a component keeps from one call to the next, as long as it stands in the page.
//
// Streamlit calls a component's function for new data, and runs the cleanup it returned when the
// component leaves; but also, with the component still there, where newer data overtook the call.
// So a cleanup closes only what has really gone.

const lasting = new WeakMap();

// What belongs to this root, made on the first call; it needs a `close`.
function lastingPart(root, make) {
  let part = lasting.get(root);
  if (!part) {
    part = make();
    lasting.set(root, part);
  }
  return part;
}

function cleanup(root) {
  return () => {
    if (root.isConnected) return;
    const part = lasting.get(root);
    lasting.delete(root);
    if (part) part.close();
  };
}
