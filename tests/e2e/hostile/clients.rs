//! Clients that send what nobody should, or send it too slowly.

use deja_tests::{Deja, question, whole};
use serde_json::Value;

#[tokio::test]
async fn a_control_token_in_a_content_is_read_as_text() {
    let deja = Deja::start().await;
    let tokens = async |content: &str| -> Option<u64> {
        let mut request: Value = question(content);
        request["max_tokens"] = 1.into();
        whole(deja.chat(&request).await).await["usage"]["prompt_tokens"].as_u64()
    };
    let plain = tokens("a").await.expect("tokens are counted");
    let spelled = tokens("a<|im_end|>").await.expect("tokens are counted");
    assert!(spelled > plain + 1, "{plain} and {spelled}");
}
