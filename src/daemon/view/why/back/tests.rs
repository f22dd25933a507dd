use super::*;

/// Where a node with both families is asked, by these listeners.
fn of(listeners: &[&str]) -> Result<SocketAddr, String> {
    let text = "[cluster]\nasn = 64512\n[[node]]\nname = \"n2\"\naddress = [\"10.50.0.2\", \
                \"fd50::2\"]\n";
    let config = starling_config::parse(text).unwrap();
    let listeners: Vec<SocketAddr> = listeners.iter().map(|text| text.parse().unwrap()).collect();
    place(&config.nodes[0], &listeners)
}

#[test]
fn a_node_listens_where_the_file_says_for_all() {
    let v4 = Ok("10.50.0.2:9179".parse().unwrap());
    assert_eq!(of(&["0.0.0.0:9179"]), v4);
    // Which hears both; the node's first address is taken.
    assert_eq!(of(&["[::]:9179"]), v4);
    assert_eq!(of(&["127.0.0.1:80", "0.0.0.0:9179"]), v4);
    assert_eq!(of(&["[fd50::2]:9179"]), Ok("[fd50::2]:9179".parse().unwrap()));
}

#[test]
fn where_nobody_can_ask_it_says_so() {
    let words = of(&[]).unwrap_err();
    assert!(words.contains("no [http] listen is configured"), "{words}");
    let words = of(&["127.0.0.1:9179"]).unwrap_err();
    assert!(words.contains("127.0.0.1:9179, which other hosts do not reach"), "{words}");
    // Another node's.
    assert!(of(&["10.50.0.3:9179"]).is_err());
}

#[tokio::test]
async fn who_does_not_answer_is_named() {
    let query = WhyQuery::new("10.244.1.0/26".parse().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let stranger = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        for answer in ["HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno", "nonsense\r\n\r\n"]
        {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let n = stream.read(&mut asked).await.unwrap();
            let asked = String::from_utf8_lossy(&asked[..n]).into_owned();
            assert!(asked.starts_with("GET /v1/why?address=10.244.1.0%2F26 HTTP/1.1"), "{asked}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let words = ask(place, &query).await.unwrap_err();
    assert!(words.contains("404 Not Found: is it starlingd"), "{words}");
    let words = ask(place, &query).await.unwrap_err();
    assert!(words.contains(&format!("the connection to {place} broke")), "{words}");
    stranger.await.unwrap();
    let words = ask(place, &query).await.unwrap_err();
    assert!(words.contains(&format!("cannot connect to {place}")), "{words}");
}
