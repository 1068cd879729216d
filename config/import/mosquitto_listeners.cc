// Where clients come in, and how TLS lets them.
#include <algorithm>
#include <optional>
#include <utility>

#include "config/import/import_context.h"
#include "config/messages.h"

namespace furrow::config {
namespace {

// --- where ---

// The host of a bind address as furrow writes it; nothing for a name that only a resolver knows.
std::optional<std::string> host_of(std::string_view host, std::string_view domain) {
  if (host.empty()) return domain == "ipv4" ? "0.0.0.0" : domain == "ipv6" ? "[::]" : "*";
  if (host.find(':') != std::string_view::npos) return "[" + std::string(host) + "]";
  if (host == "ip6-localhost" || host == "ip6-loopback") return "[::1]";
  if (host == "localhost") return "127.0.0.1";
  const Result<Bind> bind = parse_bind(std::string(host) + ":1883");
  return bind && bind->kind == Bind::Kind::Address ? std::optional(std::string(host)) : std::nullopt;
}

class ListenerTranslation {
 public:
  ListenerTranslation(MosquittoListener& from, const ImportContext& context)
      : from_(from), context_(context), line_(from.opened_by) {}

  // Nothing where it cannot be told where to listen.
  std::optional<Listener> translate() {
    if (!find_bind()) return std::nullopt;
    find_protocol();
    find_tls();
    return listener_;
  }

 private:
  bool find_bind() {
    Result<Bind> bind = parse_bind(bind_text());
    // Port 0 would be any free one.
    if (bind && (bind->kind == Bind::Kind::Unix || bind->port != 0)) {
      listener_.bind = *std::move(bind);
      return true;
    }
    context_.say(
        line_.todo("is left out, with all that follows for it: " + (bind ? "it has no port" : bind.error().message())));
    return false;
  }

  std::string bind_text() {
    const auto [port, host] = from_.is_default ? written_at_the_top() : written_behind_listener();
    const MosquittoLine* const domain = from_.options.take("socket_domain");
    const MosquittoLine* const interface = from_.options.take("bind_interface");
    if (port == "0") {
      say_of_socket();
      return "unix:" + host;
    }
    if (interface != nullptr) return interface->value + ":" + port;
    const std::optional<std::string> known = host_of(host, domain == nullptr ? "" : domain->word());
    if (!known) {
      context_.say(line_.todo("write the address of " + in_quotes(host) +
                              " into bind; until then nobody but this machine can connect"));
    }
    return known.value_or("127.0.0.1") + ":" + port;
  }

  // Port and host.
  std::pair<std::string, std::string> written_at_the_top() {
    const MosquittoLine* const port = from_.options.take("port");
    const MosquittoLine* const host = from_.options.take("bind_address");
    return {port == nullptr ? "1883" : std::string(port->word()), host == nullptr ? "" : host->value};
  }
  std::pair<std::string, std::string> written_behind_listener() const {
    const std::vector<std::string_view> words = words_of(line_.value);
    const bool has_host = words.size() > 1 && !words[1].starts_with('#');
    return {words.empty() ? "" : std::string(words[0]), has_host ? std::string(words[1]) : ""};
  }

  void say_of_socket() {
    context_.say(
        line_.todo("who comes by the socket is the user that the program runs as, without a password; mode and "
                   "group say who may"));
  }

  void find_protocol() {
    const MosquittoLine* const line = from_.options.take("protocol");
    if (line == nullptr || line->word() == "mqtt") return;
    listener_.protocol = Protocol::WebSocket;
    if (line->word() == "websockets") {
      context_.say(line->todo("clients find MQTT at ws://HOST:PORT/mqtt; Mosquitto takes every path"));
    } else {
      context_.say(line->todo("of HTTP there is the status, at /status and /metrics of this listener"));
    }
    for (const MosquittoLine* origin : from_.options.take_all("websockets_origin")) {
      if (std::optional<WebOrigin> known = WebOrigin::parse(origin->value)) {
        listener_.origins.push_back(*std::move(known));
      } else {
        context_.say(origin->todo("is not the origin of a page, such as https://dash.example.org; left out"));
      }
    }
    if (listener_.origins.empty()) {
      context_.say(line->todo("web pages of other hosts may connect only if origins names them; programs always may"));
    }
  }

  // --- TLS ---

  void find_tls() {
    const MosquittoLine* const hint = from_.options.take("psk_hint");
    const MosquittoLine* const certificate = from_.options.take("certfile");
    const MosquittoLine* const key = from_.options.take("keyfile");
    const MosquittoLine* const requires_line = from_.options.take("require_certificate");
    const bool requires_one = requires_line != nullptr && requires_line->flag().value_or(true);
    const bool identity = from_.options.take_flag("use_identity_as_username", false, context_.result.remarks);
    const bool subject = from_.options.take_flag("use_subject_as_username", false, context_.result.remarks);
    const MosquittoLine* const version = from_.options.take("tls_version");
    if (hint != nullptr) return find_psk(*hint, identity);
    if (certificate == nullptr && key == nullptr) return leave_out_tls();
    if (certificate != nullptr) listener_.tls.certificate = context_.path_of(*certificate);
    if (key != nullptr) listener_.tls.key = context_.path_of(*key);
    if (version != nullptr) find_version(*version);
    if (requires_one || identity || subject) {
      find_client_certificates(identity, subject);
    } else {
      leave_out_client_ca();
    }
  }

  void find_psk(const MosquittoLine& hint, bool identity) {
    context_.say(hint.note("the hint itself is not sent"));
    if (!identity) {
      context_.say(
          hint.todo("a client is the user that its identity names; Mosquitto took the user name of MQTT, because "
                    "use_identity_as_username is not true"));
    }
    listener_.psk_file = "psk";  // import_access() knows better, where there is a psk_file
  }

  void find_version(const MosquittoLine& line) {
    if (line.word() == "tlsv1.3") {
      listener_.tls.version_min = TlsVersion::V1_3;
    } else if (line.word() != "tlsv1.2") {
      context_.say(line.todo("nothing older than TLS 1.2 is spoken"));
    }
  }

  void find_client_certificates(bool identity, bool subject) {
    const MosquittoLine* const ca = from_.options.take("cafile");
    const MosquittoLine* const folder = from_.options.take("capath");
    ListenerTls& tls = listener_.tls;
    tls.client_ca = "client-ca.crt";
    if (ca != nullptr) {
      tls.client_ca = context_.path_of(*ca);
      if (folder != nullptr)
        context_.say(folder->todo("client_ca is one file: put the certificates of this folder into it"));
    } else if (folder != nullptr) {
      context_.say(folder->todo("client_ca is one file: cat " + folder->value + "/*.crt > client-ca.crt"));
    } else {
      context_.say(line_.todo("no cafile says whom certificates of clients come from: put that CA into client-ca.crt"));
    }
    if (const MosquittoLine* crl = from_.options.take("crlfile")) tls.crl = context_.path_of(*crl);
    if (!identity && subject) tls.username_from = UsernameFrom::Subject;
    if (identity || subject) return;
    listener_.authenticate = {"certificate", "password"};
    context_.say(
        line_.todo("a client is the user that its certificate names (its CN); Mosquitto took the user name of "
                   "MQTT. A user name that is sent has to be the same one, with its password"));
  }

  void leave_out_client_ca() {
    for (const std::string_view option : {"cafile", "capath", "crlfile"}) {
      if (const MosquittoLine* line = from_.options.take(option)) {
        context_.say(
            line->note("is left out, because clients are not asked for certificates: require_certificate is not true"));
      }
    }
  }

  void leave_out_tls() {
    for (const std::string_view option : {"cafile", "capath", "crlfile"}) {
      if (const MosquittoLine* line = from_.options.take(option)) {
        context_.say(line->todo("is left out: without certfile and keyfile the listener has no TLS"));
      }
    }
  }

  MosquittoListener& from_;
  const ImportContext& context_;
  const MosquittoLine& line_;
  Listener listener_;
};

// --- what holds for all listeners here ---

void import_max_connections(std::vector<MosquittoListener>& listeners, const ImportContext& context) {
  std::uint64_t together = 0;
  std::vector<const MosquittoLine*> limited;
  for (MosquittoListener& listener : listeners) {
    const MosquittoLine* const line = listener.options.take("max_connections");
    const auto number = line == nullptr ? std::nullopt : line->number_value();
    if (!number || *number < 0) continue;
    limited.push_back(line);
    together += static_cast<std::uint64_t>(*number);
  }
  if (limited.empty()) return;
  if (limited.size() != listeners.size() || together == 0) {
    for (const MosquittoLine* line : limited) {
      context.say(
          line->todo("limits.connections is for all listeners together, of which some have no limit; left out"));
    }
    return;
  }
  context.set_count(*limited.back(), "limits.connections", together, context.config().limits.connections_max);
  if (limited.size() == 1) return;
  for (const MosquittoLine* line : limited) {
    context.say(line->todo("limits.connections is for all listeners together: the sum of theirs"));
  }
}

void import_client_ids(std::vector<MosquittoListener>& listeners, const ImportContext& context) {
  for (MosquittoListener& listener : listeners) {
    const MosquittoLine* const line = listener.options.take("use_username_as_clientid");
    if (line == nullptr || !line->flag().value_or(false)) continue;
    context.config().access.client_id = ClientIdPolicy::User;
    context.say(
        line->todo("clients have to bring their user name as identifier, or are refused, on every listener; "
                   "Mosquitto puts it in itself"));
  }
}

}  // namespace

void import_listeners(MosquittoScopes& scopes, const ImportContext& context) {
  import_max_connections(scopes.listeners, context);
  import_client_ids(scopes.listeners, context);
  if (scopes.local_only) {
    return context.say({Remark::Kind::Note, context.name, 0, "listener",
                        "is not there: only programs of this machine can connect, at 127.0.0.1:1883"});
  }
  std::vector<Listener> listeners;
  std::erase_if(scopes.listeners, [&](MosquittoListener& from) {
    std::optional<Listener> listener = ListenerTranslation(from, context).translate();
    if (!listener) return true;
    listeners.push_back(*std::move(listener));
    return false;
  });
  if (listeners.empty()) {
    scopes.local_only = true;
    return;
  }
  context.config().listeners = std::move(listeners);
}

}  // namespace furrow::config
