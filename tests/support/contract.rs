//! LRS's own contract, for those who have its files: whole messages validated by `xmllint`.
//!
//! The files are not part of this project. `LRS_CONTRACT_DIR` names a folder with the published `wsdl/*.wsdl` and the
//! older, strict `xsd-miap/*.xsd`; what is in them is put together here, for as long as a test runs.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use lrs_gateway::lrs::Service;
use lrs_gateway::lrs::soap::ENVELOPE;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer};
use tempfile::TempDir;

const VARIABLE: &str = "LRS_CONTRACT_DIR";
const SERVICES: [Service; 3] = [Service::Learner, Service::LearnerR9, Service::External];
const STRICT: &str = "strict";
const EXCEPTIONS: &str = "http://api.lrs.miap.gov.uk/exceptions";
const NO_XMLLINT: &str = "LRS_CONTRACT_DIR is set, but there is no xmllint to validate with: install the Debian package libxml2-utils";

/// Messages to validate, each with a name for people that is also a file's name.
pub type Messages = [(String, String)];

/// The schemas of the contract, each set in a folder of its own.
pub struct Contract {
    folder: TempDir,
}

/// A message that is not valid, and xmllint's reasons.
#[derive(Debug)]
pub struct Refusal {
    pub name: String,
    pub reasons: String,
}

impl Contract {
    /// The contract in the folder the environment names. Without one (the Makefile then exports an empty name), says so:
    /// the test has nothing to do.
    #[expect(clippy::print_stdout, reason = "a test that does nothing should say so")]
    pub fn from_env() -> Option<Self> {
        let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
        if folder.is_none() {
            println!("Not validated: {VARIABLE} does not name a folder with LRS's wsdl/*.wsdl and xsd-miap/*.xsd.");
        }
        folder.map(|folder| Self::read(Path::new(&folder)))
    }

    fn read(source: &Path) -> Self {
        let contract = Self { folder: TempDir::new().expect("a temporary folder") };
        let strict = schemas_of(&files(&source.join("xsd-miap"), "xsd"));
        for service in SERVICES {
            let mut published = schemas_of(&[source.join("wsdl").join(format!("{}.wsdl", name_of(service)))]);
            // The WSDL of the learner service has the children of a fault's detail qualified. LRS sends them unqualified
            // (LRS-CONTRACT 8.2), as its older schema has them; so does the simulator, and so that schema judges them.
            if let (Some(published), Some(sent)) = (published.get_mut(EXCEPTIONS), strict.get(EXCEPTIONS)) {
                published.clone_from(sent);
            }
            contract.put(name_of(service), &published);
        }
        contract.put(STRICT, &strict);
        contract
    }

    /// Requires requests to be valid as published, and where LRS has stricter schemas, as those want them.
    pub fn check_request(&self, service: Service, requests: &Messages) {
        require(&self.published(service, requests));
        if service == Service::Learner {
            require(&self.strict(requests));
        }
    }

    /// Requires answers and faults to be valid as published. The strict schemas are wrong about answers (LRS-CONTRACT 8.3).
    pub fn check_answer(&self, service: Service, answers: &Messages) {
        require(&self.published(service, answers));
    }

    /// Which messages the WSDL of a service refuses.
    pub fn published(&self, service: Service, messages: &Messages) -> Vec<Refusal> {
        self.refused(name_of(service), messages)
    }

    /// Which requests to the learner service its older, strict schemas refuse.
    pub fn strict(&self, requests: &Messages) -> Vec<Refusal> {
        self.refused(STRICT, requests)
    }

    /// Writes a set of schemas that import each other, with ours for the envelope, and makes sure that they can be used.
    fn put(&self, set: &str, schemas: &BTreeMap<String, String>) {
        let folder = self.folder.path().join(set);
        write(&folder.join("envelope.xsd"), &envelope_schema(schemas.keys()));
        for (namespace, schema) in schemas {
            write(&folder.join(file_of(namespace)), schema);
        }
        let fault = "<s:Fault><faultcode>s:Server</faultcode><faultstring/></s:Fault>";
        let bare = format!("<s:Envelope xmlns:s='{ENVELOPE}'><s:Body>{fault}</s:Body></s:Envelope>");
        if let [refusal] = &self.refused(set, &[("bare-fault".to_owned(), bare)])[..] {
            panic!("The schemas of {set} cannot be used:\n{}", refusal.reasons);
        }
    }

    /// One call of xmllint, which reads the schemas once.
    fn refused(&self, set: &str, messages: &Messages) -> Vec<Refusal> {
        let paths: Vec<String> = messages.iter().map(|(name, _)| format!("messages/{name}.xml")).collect();
        for ((_, xml), path) in messages.iter().zip(&paths) {
            write(&self.folder.path().join(path), xml);
        }
        let mut xmllint = Command::new("xmllint");
        xmllint.current_dir(self.folder.path()).args(["--nonet", "--noout", "--schema"]).arg(format!("{set}/envelope.xsd"));
        let output = xmllint.args(&paths).output().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("{NO_XMLLINT}"),
            _ => panic!("xmllint: {error}"),
        });
        let said = String::from_utf8_lossy(&output.stderr);
        let refused = messages.iter().zip(&paths).filter(|(_, path)| !said.lines().any(|line| line == format!("{path} validates")));
        let refused: Vec<Refusal> =
            refused.map(|((name, xml), path)| Refusal { name: name.clone(), reasons: reasons(&said, path, xml) }).collect();
        assert_eq!(output.status.success(), refused.is_empty(), "xmllint: {}: {said}", output.status);
        refused
    }
}

/// What xmllint said of one message; all that it said if that is nothing, because then the schema is at fault.
fn reasons(said: &str, path: &str, xml: &str) -> String {
    let about: Vec<&str> = said.lines().filter(|line| line.starts_with(&format!("{path}:"))).collect();
    if about.is_empty() { said.to_owned() } else { format!("{}\n{xml}", about.join("\n")) }
}

fn require(refused: &[Refusal]) {
    let list: Vec<String> = refused.iter().map(|refusal| format!("{} is not valid:\n{}", refusal.name, refusal.reasons)).collect();
    assert!(list.is_empty(), "{}", list.join("\n\n"));
}

/// `/LearnerService.svc` → `LearnerService`
fn name_of(service: Service) -> &'static str {
    service.path().trim_start_matches('/').trim_end_matches(".svc")
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| std::fs::write(path, text)).expect("a temporary folder");
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let unreadable = |error| -> ! { panic!("{VARIABLE}: {}: {error}", folder.display()) };
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| unreadable(error));
    let paths = entries.map(|entry| entry.unwrap_or_else(|error| unreadable(error)).path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Every schema of some files, by its namespace.
fn schemas_of(files: &[PathBuf]) -> BTreeMap<String, String> {
    let mut schemas = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", file.display()));
        for (namespace, schema) in schemas_in(&text) {
            assert!(schemas.insert(namespace, schema).is_none(), "{}: a second schema for a namespace", file.display());
        }
    }
    assert!(!schemas.is_empty(), "{VARIABLE}: no schema in {files:?}");
    schemas
}

/// The schemas in a WSDL or XSD file as documents of their own, whose imports say where the other namespace's file is.
fn schemas_in(text: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut found, mut declared_around, mut open) = (Vec::new(), Vec::new(), None);
    loop {
        let event = match reader.read_event().expect("well-formed XML") {
            Event::Eof => return found,
            Event::Start(tag) if matches!(tag.local_name().as_ref(), "definitions" | "types") => {
                declared_around.extend(attributes(&tag).into_iter().filter(|(name, _)| name.starts_with("xmlns")));
                continue;
            }
            Event::Start(tag) if tag.local_name().as_ref() == "schema" => {
                open = Some((attribute(&tag, "targetNamespace"), Writer::new(Vec::new())));
                let own = attributes(&tag);
                let inherited = declared_around.iter().filter(|(name, _)| own.iter().all(|(there, _)| there != name));
                Event::Start(tag.with_attributes(inherited.map(|(name, value)| (name.as_str(), value.as_str()))))
            }
            Event::Start(tag) if tag.local_name().as_ref() == "import" => {
                let namespace = attribute(&tag, "namespace");
                let import = BytesStart::new(tag.name().0.to_owned());
                Event::Start(import.with_attributes([("namespace", &*namespace), ("schemaLocation", &*file_of(&namespace))]))
            }
            event => event,
        };
        let Some((namespace, writer)) = &mut open else { continue };
        let is_end = matches!(&event, Event::End(tag) if tag.local_name().as_ref() == "schema");
        writer.write_event(event).expect("memory");
        if is_end {
            let schema = String::from_utf8(std::mem::take(writer.get_mut())).expect("UTF-8");
            found.push((std::mem::take(namespace), schema));
            open = None;
        }
    }
}

fn attributes(tag: &BytesStart<'_>) -> Vec<(String, String)> {
    let attributes = tag.attributes().map(|attribute| attribute.expect("well-formed XML"));
    attributes.map(|attribute| (attribute.key.0.to_owned(), attribute.value.into_owned())).collect()
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let found = attributes(tag).into_iter().find(|(there, _)| there == name);
    found.unwrap_or_else(|| panic!("{} without {name}", tag.name().0)).1
}

/// The file of a namespace's schema.
fn file_of(namespace: &str) -> String {
    namespace.replace(|c: char| !c.is_ascii_alphanumeric(), "-") + ".xsd"
}

/// SOAP 1.1's envelope: one known element in the body, or a fault. A fault's detail is judged as far as it is known.
fn envelope_schema<'n>(namespaces: impl Iterator<Item = &'n String>) -> String {
    let imports = namespaces.map(|namespace| format!("<xs:import namespace='{namespace}' schemaLocation='{}'/>", file_of(namespace)));
    let imports: String = imports.collect();
    format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:s='{ENVELOPE}' targetNamespace='{ENVELOPE}'>{imports}
  <xs:complexType name='Anything'>
    <xs:sequence><xs:any minOccurs='0' maxOccurs='unbounded' processContents='lax'/></xs:sequence>
  </xs:complexType>
  <xs:element name='Header' type='s:Anything'/>
  <xs:element name='Body'>
    <xs:complexType><xs:sequence><xs:any processContents='strict'/></xs:sequence></xs:complexType>
  </xs:element>
  <xs:element name='Envelope'>
    <xs:complexType><xs:sequence><xs:element ref='s:Header' minOccurs='0'/><xs:element ref='s:Body'/></xs:sequence></xs:complexType>
  </xs:element>
  <xs:element name='Fault'>
    <xs:complexType>
      <xs:sequence>
        <xs:element name='faultcode' type='xs:QName'/>
        <xs:element name='faultstring'>
          <xs:complexType>
            <xs:simpleContent>
              <xs:extension base='xs:string'><xs:anyAttribute processContents='skip'/></xs:extension>
            </xs:simpleContent>
          </xs:complexType>
        </xs:element>
        <xs:element name='faultactor' type='xs:anyURI' minOccurs='0'/>
        <xs:element name='detail' type='s:Anything' minOccurs='0'/>
      </xs:sequence>
    </xs:complexType>
  </xs:element>
</xs:schema>"
    )
}
